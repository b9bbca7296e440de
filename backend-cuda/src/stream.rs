//! A stream of the library's own: `cust`'s drops the flag that keeps it apart from the default stream.

#![allow(unsafe_code, reason = "calls of the driver")]

use core::ptr::null_mut;

use cust::sys::{self, CUresult, CUstream, CUstream_flags_enum};

#[derive(Debug)]
pub(crate) struct Stream(CUstream);

// SAFETY: the driver's functions on streams may be called from any thread.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    /// In the current context.
    pub fn new() -> Result<Self, CUresult> {
        let mut stream = null_mut();
        let flags = CUstream_flags_enum::CU_STREAM_NON_BLOCKING as u32;
        // SAFETY: the pointer is to a local variable.
        match unsafe { sys::cuStreamCreateWithPriority(&mut stream, flags, 0) } {
            CUresult::CUDA_SUCCESS => Ok(Self(stream)),
            code => Err(code),
        }
    }

    pub const fn as_raw(&self) -> CUstream {
        self.0
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: nobody else has the handle. A failure has nobody to go to.
        let _ = unsafe { sys::cuStreamDestroy_v2(self.0) };
    }
}
