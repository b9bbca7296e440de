//! A plan that is executed, on tensors wherever they are.

#![allow(unsafe_code, reason = "calls of the library")]

use core::ffi::c_void;
use std::sync::{Arc, PoisonError};

use cudarc::cudnn::sys::{cudnnBackendAttributeName_t as Name, cudnnBackendDescriptorType_t as Kind};

use super::{
    attribute::{Address, Builder},
    plan::{Key, Plan},
};
use crate::{
    CudaError, Device,
    vendor::{cudnn::Cudnn, descriptor::Descriptor, library::Failure},
};

/// See the module.
pub(super) struct Execution<const TENSORS: usize> {
    plan: Arc<Plan>,
    /// What the graph's tensors are called.
    ids: [i64; TENSORS],
    /// Where everything was when it was launched last, as the library has it.
    pack: Option<(Places<TENSORS>, Descriptor<c_void>)>,
}

/// Addresses of the tensors, in the order of what they are called, and of the workspace. 0 is that of a tensor that the graph has not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Places<const TENSORS: usize> {
    pub tensors: [u64; TENSORS],
    pub workspace: u64,
}

impl<const TENSORS: usize> Execution<TENSORS> {
    pub fn new(library: &Cudnn, key: Key, ids: [i64; TENSORS]) -> Result<Self, Failure> {
        Ok(Self { plan: library.plans.get(library, key)?, ids, pack: None })
    }

    /// Bytes of workspace.
    pub fn workspace(&self) -> usize {
        self.plan.workspace
    }

    /// Has it computed after all work asked for before. Neither waits nor allocates.
    ///
    /// # Safety
    /// The tensors are as large as the graph says and aligned as it says, the workspace is as large as the plan asked for, and nobody else
    /// uses that until the stream is there.
    pub unsafe fn launch(&mut self, device: &Device, places: Places<TENSORS>) -> Result<(), CudaError> {
        let library = device.vendor()?.cudnn()?;
        if self.pack.as_ref().is_none_or(|(before, _)| *before != places) {
            let pack = self.pack(library, &places).map_err(|failure| failure.on(device))?;
            self.pack = Some((places, pack));
        }
        let Some((_, pack)) = &self.pack else { return Ok(()) };
        let handle = library.handle.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the handle is alive and this thread's, and so is the stream.
        let status = unsafe { (library.functions.cudnnSetStream)(handle.0, device.stream().cast()) };
        library.check("cudnnSetStream", status).map_err(|failure| failure.on(device))?;
        let execute = library.functions.cudnnBackendExecute;
        // SAFETY: plan and pack are finished and alive; the rest is the caller's promise.
        let status = unsafe { execute(handle.0, self.plan.plan.raw(), pack.raw()) };
        library.check("cudnnBackendExecute", status).map_err(|failure| failure.on(device))
    }

    fn pack(&self, library: &Cudnn, places: &Places<TENSORS>) -> Result<Descriptor<c_void>, Failure> {
        let there = self.ids.into_iter().zip(places.tensors).filter(|(_, place)| *place != 0);
        let (ids, tensors): (Vec<i64>, Vec<Address>) =
            there.map(|(id, place)| (id, Address(place as *mut c_void))).unzip();
        Builder::new(library, Kind::CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)?
            .set(Name::CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, &ids)?
            .set(Name::CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, &tensors)?
            .set(Name::CUDNN_ATTR_VARIANT_PACK_WORKSPACE, &[Address(places.workspace as *mut c_void)])?
            .finish()
    }
}
