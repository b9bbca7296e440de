//! Kernels of the user's own.

use crate::{Arguments, CudaError, Device, Kernel, loaded_module::LoadedModule};

/// Kernels of the user's own, compiled to PTX.
#[derive(Debug)]
pub struct Module {
    loaded: LoadedModule,
    device: Device,
}

impl Module {
    /// Has the driver compile `ptx`; `name` is for error messages.
    ///
    /// # Errors
    /// [`CudaError::Module`] with the compiler's log.
    pub fn new(device: &Device, name: &str, ptx: &str) -> Result<Self, CudaError> {
        device.bind()?;
        Ok(Self { loaded: LoadedModule::new(device.card(), name, ptx)?, device: device.clone() })
    }

    /// The kernel `name` (declared `extern "C" __global__`), to be called with the parameters `A`.
    ///
    /// # Errors
    /// [`CudaError::Signature`] if there is none, or its parameters are of other sizes than `A`'s.
    pub fn kernel<A: Arguments>(&self, name: &str) -> Result<Kernel<A>, CudaError> {
        self.device.bind()?;
        self.loaded.kernel(self.device.card(), name)
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // The module goes with its own context current; a failure has nobody to go to.
        let _ = self.device.synchronize();
    }
}
