//! A convolution with an addition, perhaps, and with the sums that a normalisation wants, ready to be asked for.

#![allow(unsafe_code, reason = "calls of the library")]

use core::ffi::c_void;
use std::sync::{Arc, PoisonError};

use cudarc::cudnn::sys::{cudnnBackendAttributeName_t as Name, cudnnBackendDescriptorType_t as Kind};

use super::{
    attribute::{Address, Builder},
    operations::{ADDEND, ALIGNMENT, FILTERS, INPUT, OUTPUT, SQUARES, SUMS},
    plan::Plan,
};
use crate::{
    CudaError, Device,
    element::Element,
    geometry::Geometry,
    vendor::{
        FusedOperands,
        cudnn::{
            Cudnn,
            convolution::{bring_filters, filter_bytes},
        },
        descriptor::Descriptor,
        library::Failure,
    },
};

/// See the module.
pub(crate) struct FusedConvolution {
    name: String,
    geometry: Geometry,
    element: Element,
    add: bool,
    plan: Arc<Plan>,
    /// Where everything was when it was launched last, as the library has it.
    pack: Option<(Places, Descriptor<c_void>)>,
}

/// Of the tensors and of the workspace.
type Places = [u64; 7];

impl FusedConvolution {
    pub(in crate::vendor::cudnn) fn new(
        library: &Cudnn,
        geometry: &Geometry,
        element: Element,
        add: bool,
    ) -> Result<Self, Failure> {
        let plan = library.plans.get(library, (*geometry, element, add))?;
        Ok(Self { name: library.name(), geometry: *geometry, element, add, plan, pack: None })
    }

    /// Whether it adds a tensor.
    pub const fn adds(&self) -> bool {
        self.add
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of scratch memory that it needs.
    pub fn scratch_bytes(&self) -> usize {
        filter_bytes(&self.geometry, self.element).saturating_add(self.plan.workspace)
    }

    /// Whether it takes operands that lie there.
    pub fn takes(&self, operands: &FusedOperands) -> bool {
        operands.addend.is_some() == self.add
            && self.places(operands).iter().all(|place| place.is_multiple_of(ALIGNMENT as u64))
    }

    fn places(&self, operands: &FusedOperands) -> Places {
        let FusedOperands { input, addend, output, sums, scratch, .. } = *operands;
        let workspace = scratch.cast::<u8>().add(filter_bytes(&self.geometry, self.element)).address();
        let addend = addend.map_or(0, crate::Ptr::address);
        let [sums, squares] = sums.map(crate::PtrMut::address);
        [workspace, input.address(), scratch.address(), addend, output.address(), sums, squares]
    }

    /// Has it computed after all work asked for before. Neither waits nor allocates.
    pub fn launch(&mut self, device: &Device, operands: &FusedOperands) -> Result<(), CudaError> {
        bring_filters(device, &self.geometry, self.element, operands.filters, operands.scratch)?;
        let library = device.vendor()?.cudnn()?;
        let places = self.places(operands);
        if self.pack.as_ref().is_none_or(|(before, _)| *before != places) {
            let pack = self.pack(library, &places).map_err(|failure| failure.on(device))?;
            self.pack = Some((places, pack));
        }
        let Some((_, pack)) = &self.pack else { return Ok(()) };
        {
            let handle = library.handle.lock().unwrap_or_else(PoisonError::into_inner);
            // SAFETY: the handle is alive and this thread's, and so is the stream.
            let status = unsafe { (library.functions.cudnnSetStream)(handle.0, device.stream().cast()) };
            library.check("cudnnSetStream", status).map_err(|failure| failure.on(device))?;
            let execute = library.functions.cudnnBackendExecute;
            // SAFETY: plan and pack are finished and alive; the caller's buffers are as large as the tensors say, the scratch memory
            // has room for the filters and for the workspace that the plan asked for, and nobody else uses it until the stream is there.
            let status = unsafe { execute(handle.0, self.plan.plan.raw(), pack.raw()) };
            library.check("cudnnBackendExecute", status).map_err(|failure| failure.on(device))?;
        }
        device.wait_if_blocking(|| format!("{}, fused forward", self.name))
    }

    fn pack(&self, library: &Cudnn, places: &Places) -> Result<Descriptor<c_void>, Failure> {
        const IDS: [i64; 6] = [INPUT, FILTERS, ADDEND, OUTPUT, SUMS, SQUARES];
        let [workspace, tensors @ ..] = places.map(|place| Address(place as *mut c_void));
        let (ids, tensors): (Vec<i64>, Vec<Address>) =
            IDS.into_iter().zip(tensors).filter(|(id, _)| self.add || *id != ADDEND).unzip();
        Builder::new(library, Kind::CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)?
            .set(Name::CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, &ids)?
            .set(Name::CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, &tensors)?
            .set(Name::CUDNN_ATTR_VARIANT_PACK_WORKSPACE, &[workspace])?
            .finish()
    }
}
