//! Result codes of the driver API (`CUresult`).

use std::ffi::{CStr, c_char};

use ptx_interpreter::FaultKind;

/// A `CUresult`.
pub type Code = u32;

macro_rules! codes {
    ($($constant:ident = $value:literal, $name:literal, $text:literal;)*) => {
        $(pub const $constant: Code = $value;)*

        /// Codes with their names and descriptions.
        const TEXTS: &[(Code, &CStr, &CStr)] = &[$(($value, $name, $text)),*];
    };
}

codes! {
    SUCCESS = 0, c"CUDA_SUCCESS", c"no error";
    ERROR_INVALID_VALUE = 1, c"CUDA_ERROR_INVALID_VALUE", c"invalid argument";
    ERROR_OUT_OF_MEMORY = 2, c"CUDA_ERROR_OUT_OF_MEMORY", c"out of memory";
    ERROR_NOT_INITIALIZED = 3, c"CUDA_ERROR_NOT_INITIALIZED", c"cuInit was not called";
    ERROR_INVALID_DEVICE = 101, c"CUDA_ERROR_INVALID_DEVICE", c"invalid device ordinal";
    ERROR_INVALID_CONTEXT = 201, c"CUDA_ERROR_INVALID_CONTEXT", c"no context is current in this thread";
    ERROR_INVALID_PTX = 218, c"CUDA_ERROR_INVALID_PTX", c"the PTX cannot be read";
    ERROR_INVALID_HANDLE = 400, c"CUDA_ERROR_INVALID_HANDLE", c"invalid handle";
    ERROR_NOT_FOUND = 500, c"CUDA_ERROR_NOT_FOUND", c"no symbol of this name";
    ERROR_ILLEGAL_ADDRESS = 700, c"CUDA_ERROR_ILLEGAL_ADDRESS", c"a kernel accessed memory that is not its own";
    ERROR_LAUNCH_OUT_OF_RESOURCES = 701, c"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", c"the launch needs more than the device or the kernel allows";
    ERROR_LAUNCH_TIMEOUT = 702, c"CUDA_ERROR_LAUNCH_TIMEOUT", c"a kernel executed more instructions than it may";
    ERROR_ILLEGAL_INSTRUCTION = 715, c"CUDA_ERROR_ILLEGAL_INSTRUCTION", c"a kernel executed trap";
    ERROR_MISALIGNED_ADDRESS = 716, c"CUDA_ERROR_MISALIGNED_ADDRESS", c"a kernel accessed a misaligned address";
    ERROR_LAUNCH_FAILED = 719, c"CUDA_ERROR_LAUNCH_FAILED", c"a kernel did what is undefined: see the report";
    ERROR_NOT_SUPPORTED = 801, c"CUDA_ERROR_NOT_SUPPORTED", c"the interpreter does not have this";
    ERROR_STREAM_CAPTURE_UNSUPPORTED = 900, c"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", c"not permitted while a stream is captured";
    ERROR_STREAM_CAPTURE_INVALIDATED = 901, c"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", c"the capture was invalidated by an earlier error";
    ERROR_ILLEGAL_STATE = 401, c"CUDA_ERROR_ILLEGAL_STATE", c"not in a state that permits this";
    ERROR_STREAM_CAPTURE_IMPLICIT = 906, c"CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", c"would wait for a stream that is captured";
    ERROR_UNKNOWN = 999, c"CUDA_ERROR_UNKNOWN", c"the interpreter itself failed";
}

/// What a device would answer to the call after such a fault.
pub fn of_fault(kind: FaultKind) -> Code {
    match kind {
        FaultKind::OutOfBounds => ERROR_ILLEGAL_ADDRESS,
        FaultKind::Misaligned => ERROR_MISALIGNED_ADDRESS,
        FaultKind::Trap => ERROR_ILLEGAL_INSTRUCTION,
        FaultKind::Limit => ERROR_LAUNCH_TIMEOUT,
        _ => ERROR_LAUNCH_FAILED,
    }
}

fn text(
    code: Code,
    out: *mut *const c_char,
    pick: fn(&(Code, &'static CStr, &'static CStr)) -> &'static CStr,
) -> Code {
    let (pointer, answer) = match TEXTS.iter().find(|entry| entry.0 == code) {
        Some(entry) => (pick(entry).as_ptr(), SUCCESS),
        None => (std::ptr::null(), ERROR_INVALID_VALUE),
    };
    crate::pointer::put(out, pointer).map_or_else(|code| code, |()| answer)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGetErrorName(code: Code, out: *mut *const c_char) -> Code {
    text(code, out, |entry| entry.1)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGetErrorString(code: Code, out: *mut *const c_char) -> Code {
    text(code, out, |entry| entry.2)
}
