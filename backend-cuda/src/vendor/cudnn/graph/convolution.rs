//! A convolution with an addition, perhaps, and with the sums that a normalisation wants, ready to be asked for.

#![allow(unsafe_code, reason = "calls of the library")]

use super::{
    execution::{Execution, Places},
    operations::{ADDEND, ALIGNMENT, FILTERS, INPUT, OUTPUT, SQUARES, SUMS},
    plan::{Computed, Key},
};
use crate::{
    CudaError, Device, Precision, Ptr, PtrMut,
    element::Element,
    geometry::Geometry,
    vendor::{
        FusedOperands,
        cudnn::{
            Cudnn,
            convolution::{bring_filters, filter_bytes},
        },
        library::Failure,
    },
};

/// See the module.
pub(crate) struct FusedConvolution {
    name: String,
    geometry: Geometry,
    element: Element,
    add: bool,
    execution: Execution<6>,
}

impl FusedConvolution {
    pub(in crate::vendor::cudnn) fn new(
        library: &Cudnn,
        geometry: &Geometry,
        precision: Precision,
        add: bool,
    ) -> Result<Self, Failure> {
        let key = Key { geometry: *geometry, precision, computed: Computed::WithSums { add } };
        let execution = Execution::new(library, key, [INPUT, FILTERS, ADDEND, OUTPUT, SUMS, SQUARES])?;
        let (name, element) = (library.name(), Element::of(precision));
        Ok(Self { name, geometry: *geometry, element, add, execution })
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
        filter_bytes(&self.geometry, self.element).saturating_add(self.execution.workspace())
    }

    /// Whether it takes operands that lie there.
    pub fn takes(&self, operands: &FusedOperands) -> bool {
        let Places { tensors, workspace } = self.places(operands);
        operands.addend.is_some() == self.add
            && tensors.iter().chain([&workspace]).all(|place| place.is_multiple_of(ALIGNMENT as u64))
    }

    fn places(&self, operands: &FusedOperands) -> Places<6> {
        let FusedOperands { input, addend, output, sums, scratch, .. } = *operands;
        let workspace = scratch.cast::<u8>().add(filter_bytes(&self.geometry, self.element)).address();
        let addend = addend.map_or(0, Ptr::address);
        let [sums, squares] = sums.map(PtrMut::address);
        let tensors = [input.address(), scratch.address(), addend, output.address(), sums, squares];
        Places { tensors, workspace }
    }

    /// Has it computed after all work asked for before. Neither waits nor allocates.
    pub fn launch(&mut self, device: &Device, operands: &FusedOperands) -> Result<(), CudaError> {
        bring_filters(device, &self.geometry, self.element, operands.filters, operands.scratch)?;
        let places = self.places(operands);
        // SAFETY: the caller's buffers are as large as the tensors say, and the scratch memory has room for the filters and for the
        // workspace; `takes` was asked for the alignment.
        unsafe { self.execution.launch(device, places)? };
        device.wait_if_blocking(|| format!("{}, fused forward", self.name))
    }
}
