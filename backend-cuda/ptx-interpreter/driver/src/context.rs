//! `cuInit`, contexts, and waiting for the device.

use std::ffi::{c_int, c_uint};
use std::sync::atomic::Ordering;

use crate::code::{Code, ERROR_INVALID_CONTEXT, ERROR_INVALID_VALUE, SUCCESS};
use crate::counters;
use crate::pointer::put;
use crate::state::{CONTEXTS, INITIALISED, call, primary_context, query_nothing, query_of};

#[unsafe(no_mangle)]
pub extern "C" fn cuInit(flags: c_uint) -> Code {
    if flags != 0 {
        return ERROR_INVALID_VALUE;
    }
    INITIALISED.store(true, Ordering::SeqCst);
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDriverGetVersion(version: *mut c_int) -> Code {
    // The newest PTX that is read comes with CUDA 13.0.
    put(version, 13000).map_or_else(|code| code, |()| SUCCESS)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxRetain(context: *mut usize, device: c_int) -> Code {
    query_of(device, |state| put(context, primary_context(state.ordinal)))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxRelease_v2(device: c_int) -> Code {
    query_of(device, |_| Ok(()))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxSetFlags_v2(device: c_int, _flags: c_uint) -> Code {
    query_of(device, |_| Ok(()))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxCreate_v2(context: *mut usize, _flags: c_uint, device: c_int) -> Code {
    query_of(device, |state| {
        let handle = state.handle();
        CONTEXTS.with_borrow_mut(|contexts| contexts.push(handle));
        put(context, handle)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxDestroy_v2(context: usize) -> Code {
    query_nothing(|| {
        CONTEXTS.with_borrow_mut(|contexts| contexts.retain(|&c| c != context));
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxPushCurrent_v2(context: usize) -> Code {
    query_nothing(|| {
        CONTEXTS.with_borrow_mut(|contexts| contexts.push(context));
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxPopCurrent_v2(context: *mut usize) -> Code {
    query_nothing(|| {
        let popped = CONTEXTS.with_borrow_mut(Vec::pop).ok_or(ERROR_INVALID_CONTEXT)?;
        crate::pointer::put_optional(context, popped);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetCurrent(context: usize) -> Code {
    query_nothing(|| {
        CONTEXTS.with_borrow_mut(|contexts| {
            contexts.pop();
            if context != 0 {
                contexts.push(context);
            }
        });
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxGetCurrent(context: *mut usize) -> Code {
    query_nothing(|| put(context, CONTEXTS.with_borrow(|contexts| contexts.last().copied().unwrap_or(0))))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxGetDevice(device: *mut c_int) -> Code {
    call(|state| put(device, state.ordinal as c_int))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxGetApiVersion(_context: usize, version: *mut c_uint) -> Code {
    query_nothing(|| put(version, 3020))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxGetStreamPriorityRange(least: *mut c_int, greatest: *mut c_int) -> Code {
    call(|_| {
        crate::pointer::put_optional(least, 0);
        crate::pointer::put_optional(greatest, 0);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSynchronize() -> Code {
    counters::synchronised();
    call(crate::stream::nothing_captured)
}
