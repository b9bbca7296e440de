//! The CUDA driver, found when a program runs instead of when it is linked.
//!
//! `cust` declares the driver's functions as `extern "C"`; this module defines them. Each looks its namesake up, once, in
//! `libcuda.so.1` or in the library that the environment variable `SAM_CUDA_DRIVER` names, and calls it. Without a
//! library, or where the library lacks it, a function returns `CUDA_ERROR_NO_DEVICE` or `CUDA_ERROR_NOT_SUPPORTED`. So
//! programs build and start anywhere, and the same file runs where there is a GPU.

#![allow(
    unsafe_code,
    reason = "C functions under the names that cust links to, and calls through looked-up pointers"
)]
#![allow(non_snake_case, reason = "the driver's own names")]
#![allow(clippy::too_many_arguments, reason = "the driver's own signatures")]

use core::{
    ffi::{CStr, c_char, c_int, c_uint, c_ulonglong, c_void},
    mem::transmute,
};
use std::{env, error::Error, sync::OnceLock};

use cust::sys::{
    CUcontext, CUdevice, CUdevice_attribute, CUdeviceptr, CUevent, CUfunction, CUgraph, CUgraphExec,
    CUgraphNode, CUjit_option, CUmodule, CUresult, CUstream, CUstreamCaptureMode,
};
use libloading::Library;

/// Names another driver than the system's: an interpreter of kernels, for machines without a GPU.
pub const VARIABLE: &str = "SAM_CUDA_DRIVER";

/// The library, or why there is none.
fn library() -> Result<&'static Library, &'static str> {
    static LIBRARY: OnceLock<Result<Library, String>> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| {
        let name = env::var_os(VARIABLE).unwrap_or_else(|| "libcuda.so.1".into());
        // SAFETY: the system's driver, and whatever the user names in its place, may be loaded: their
        // initialisers expect nothing of the program.
        unsafe { Library::new(&name) }.map_err(|error| {
            let cause = error.source().map_or(error.to_string(), ToString::to_string);
            format!("{} was not loaded: {cause}", name.display())
        })
    });
    library.as_ref().map_err(String::as_str)
}

/// Why there is no driver, if there is none.
pub(crate) fn missing() -> Option<&'static str> {
    library().err()
}

/// A function of the library that is not the driver's own, such as a counter of an interpreter's.
///
/// # Safety
/// `T` must be the function's type, `extern "C"`.
pub(crate) unsafe fn function<T: Copy>(name: &str) -> Option<T> {
    // SAFETY: the caller vouches for the type.
    library().ok().and_then(|library| unsafe { library.get::<T>(name) }.ok().map(|symbol| *symbol))
}

/// What an interpreter of kernels has to say about the last fault.
pub(crate) fn report() -> Option<String> {
    // SAFETY: the type under which the interpreter exports the function.
    let report: unsafe extern "C" fn() -> *const c_char = unsafe { function("ptx_interpreter_report") }?;
    // SAFETY: it returns null, or a text that stays valid.
    unsafe {
        let text = report();
        (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
    }
}

/// The code as one of the enumeration's, which ends with CUDA 11.4: newer ones would not be values of the type at all.
fn known(code: u32) -> CUresult {
    match code {
        0..=8
        | 34
        | 100..=102
        | 200..=202
        | 205..=224
        | 300..=304
        | 400
        | 401
        | 500
        | 600
        | 700..=705
        | 708..=720
        | 800..=809
        | 900..=911
        | 999 => {
            // SAFETY: these are the discriminants of the enumeration, which is `repr(u32)`.
            unsafe { transmute::<u32, CUresult>(code) }
        }
        _ => CUresult::CUDA_ERROR_UNKNOWN,
    }
}

macro_rules! driver {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?);)*) => { $(
        /// The driver's function of this name.
        ///
        /// # Safety
        /// As the CUDA driver's documentation says.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $type),*) -> CUresult {
            type Function = unsafe extern "C" fn($($type),*) -> u32;
            static FUNCTION: OnceLock<Option<Function>> = OnceLock::new();
            // SAFETY: the type is the one under which cust declares the function.
            let found = FUNCTION.get_or_init(|| unsafe { function(stringify!($name)) });
            match found {
                // SAFETY: the caller keeps the driver's contract.
                Some(function) => known(unsafe { function($($argument),*) }),
                None if missing().is_some() => CUresult::CUDA_ERROR_NO_DEVICE,
                None => CUresult::CUDA_ERROR_NOT_SUPPORTED,
            }
        }
    )* };
}

// What this crate uses, directly or through cust. A function too few is an error of the linker's.
driver! {
    fn cuInit(flags: c_uint);
    fn cuDriverGetVersion(version: *mut c_int);
    fn cuGetErrorName(error: CUresult, name: *mut *const c_char);
    fn cuGetErrorString(error: CUresult, text: *mut *const c_char);

    fn cuDeviceGet(device: *mut CUdevice, ordinal: c_int);
    fn cuDeviceGetCount(count: *mut c_int);
    fn cuDeviceGetName(name: *mut c_char, length: c_int, device: CUdevice);
    fn cuDeviceGetAttribute(value: *mut c_int, attribute: CUdevice_attribute, device: CUdevice);
    fn cuDevicePrimaryCtxRetain(context: *mut CUcontext, device: CUdevice);
    fn cuDevicePrimaryCtxRelease_v2(device: CUdevice);
    fn cuCtxSetCurrent(context: CUcontext);

    fn cuModuleLoadDataEx(
        module: *mut CUmodule,
        image: *const c_void,
        count: c_uint,
        options: *mut CUjit_option,
        values: *mut *mut c_void,
    );
    fn cuModuleUnload(module: CUmodule);
    fn cuModuleGetFunction(function: *mut CUfunction, module: CUmodule, name: *const c_char);

    fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize);
    fn cuMemAlloc_v2(pointer: *mut CUdeviceptr, bytes: usize);
    fn cuMemFree_v2(pointer: CUdeviceptr);
    fn cuMemcpyHtoDAsync_v2(to: CUdeviceptr, from: *const c_void, bytes: usize, stream: CUstream);
    fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: CUdeviceptr, bytes: usize, stream: CUstream);
    fn cuMemcpyDtoDAsync_v2(to: CUdeviceptr, from: CUdeviceptr, bytes: usize, stream: CUstream);
    fn cuMemsetD8Async(to: CUdeviceptr, value: u8, bytes: usize, stream: CUstream);

    fn cuStreamCreateWithPriority(stream: *mut CUstream, flags: c_uint, priority: c_int);
    fn cuStreamSynchronize(stream: CUstream);
    fn cuStreamQuery(stream: CUstream);
    fn cuStreamDestroy_v2(stream: CUstream);

    fn cuEventCreate(event: *mut CUevent, flags: c_uint);
    fn cuEventRecord(event: CUevent, stream: CUstream);
    fn cuEventRecordWithFlags(event: CUevent, stream: CUstream, flags: c_uint);
    fn cuEventElapsedTime(milliseconds: *mut f32, from: CUevent, to: CUevent);
    fn cuEventDestroy_v2(event: CUevent);

    fn cuLaunchKernel(
        function: CUfunction,
        blocks_x: c_uint,
        blocks_y: c_uint,
        blocks_z: c_uint,
        threads_x: c_uint,
        threads_y: c_uint,
        threads_z: c_uint,
        shared_bytes: c_uint,
        stream: CUstream,
        arguments: *mut *mut c_void,
        extra: *mut *mut c_void,
    );

    fn cuStreamBeginCapture_v2(stream: CUstream, mode: CUstreamCaptureMode);
    fn cuStreamEndCapture(stream: CUstream, graph: *mut CUgraph);
    fn cuGraphInstantiateWithFlags(executable: *mut CUgraphExec, graph: CUgraph, flags: c_ulonglong);
    fn cuGraphGetNodes(graph: CUgraph, nodes: *mut CUgraphNode, count: *mut usize);
    fn cuGraphLaunch(executable: CUgraphExec, stream: CUstream);
    fn cuGraphExecDestroy(executable: CUgraphExec);
    fn cuGraphDestroy(graph: CUgraph);
}

#[cfg(test)]
mod tests {
    use super::known;
    use cust::sys::CUresult;

    #[test]
    fn codes_of_newer_drivers_become_unknown() {
        assert_eq!(known(0), CUresult::CUDA_SUCCESS);
        assert_eq!(known(2), CUresult::CUDA_ERROR_OUT_OF_MEMORY);
        assert_eq!(known(999), CUresult::CUDA_ERROR_UNKNOWN);
        for newer in [36, 46, 225, 226, 402, 721, 810, 811, 812, 912, 913, 914, 915, 916, 4_000_000] {
            assert_eq!(known(newer), CUresult::CUDA_ERROR_UNKNOWN);
        }
    }
}
