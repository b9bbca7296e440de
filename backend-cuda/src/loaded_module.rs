//! PTX on its way to the card, and the kernels in it.

#![allow(unsafe_code, reason = "calls of the driver")]

use core::{ffi::c_void, marker::PhantomData, ptr::null_mut};
use std::ffi::{CStr, CString};

use cust::sys::{self, CUjit_option, CUmodule, CUresult};

use crate::{
    Arguments, CudaError, Kernel,
    card::{Card, error_code},
    driver, signature,
};

/// Bytes for what the driver's compiler has to say.
const LOG_BYTES: usize = 16 << 10;

/// A module in the current context, which must outlive it.
#[derive(Debug)]
pub(crate) struct LoadedModule {
    module: CUmodule,
    ptx: String,
}

// SAFETY: a handle that the driver takes from any thread.
unsafe impl Send for LoadedModule {}
// SAFETY: as above.
unsafe impl Sync for LoadedModule {}

impl LoadedModule {
    pub fn new(card: &Card, name: &str, ptx: &str) -> Result<Self, CudaError> {
        let failed = |code: CUresult, log: String| CudaError::Module {
            name: name.to_owned(),
            code: error_code(code),
            log,
            card: card.to_string(),
        };
        let image = CString::new(ptx)
            .map_err(|_| failed(CUresult::CUDA_ERROR_INVALID_PTX, "a zero byte in the text".to_owned()))?;
        let mut log = vec![0u8; LOG_BYTES];
        let mut options =
            [CUjit_option::CU_JIT_ERROR_LOG_BUFFER, CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
        let mut values: [*mut c_void; 2] = [log.as_mut_ptr().cast(), LOG_BYTES as *mut c_void];
        let mut module = null_mut();
        // SAFETY: the image ends with a zero; the options are two, the buffer as long as they say.
        let code = unsafe {
            sys::cuModuleLoadDataEx(
                &mut module,
                image.as_ptr().cast(),
                2,
                options.as_mut_ptr(),
                values.as_mut_ptr(),
            )
        };
        if code != CUresult::CUDA_SUCCESS {
            let text = CStr::from_bytes_until_nul(&log).map(CStr::to_string_lossy).unwrap_or_default();
            return Err(failed(code, text.trim().to_owned()));
        }
        Ok(Self { module, ptx: ptx.to_owned() })
    }

    pub fn kernel<A: Arguments>(&self, card: &Card, name: &str) -> Result<Kernel<A>, CudaError> {
        let found = signature::parameters(&self.ptx, name);
        if found.as_deref() != Some(A::SIZES) {
            return Err(CudaError::Signature { kernel: name.to_owned(), expected: A::SIZES.to_vec(), found });
        }
        let text = CString::new(name).unwrap_or_default();
        let mut function = null_mut();
        // SAFETY: the module is loaded, the name ends with a zero.
        let code = unsafe { sys::cuModuleGetFunction(&mut function, self.module, text.as_ptr()) };
        if code != CUresult::CUDA_SUCCESS {
            return Err(card.error(format!("looking up kernel {name}"), code));
        }
        Ok(Kernel { function, name: name.to_owned(), arguments: PhantomData })
    }
}

impl Drop for LoadedModule {
    fn drop(&mut self) {
        if driver::missing().is_none() {
            // SAFETY: nobody else has the handle, and no kernel of it runs any more. A failure has nobody to go to.
            let _ = unsafe { sys::cuModuleUnload(self.module) };
        }
    }
}
