//! Modules of PTX text.

use std::ffi::{c_char, c_int, c_uint, c_void};

use crate::code::{Code, ERROR_INVALID_HANDLE, ERROR_INVALID_PTX, ERROR_NOT_FOUND};
use crate::counters;
use crate::pointer::{element, put, put_optional, string, write_bytes};
use crate::state::call;
use crate::stream::nothing_captured;

/// `CUjit_option`s that say where errors go.
const ERROR_LOG_BUFFER: c_int = 5;
const ERROR_LOG_BUFFER_SIZE: c_int = 6;

fn load(module: *mut usize, image: *const c_void, log: Log) -> Code {
    counters::synchronised();
    call(|state| {
        nothing_captured(state)?;
        let source = string(image.cast())?;
        match state.device.load(&source) {
            Ok(loaded) => {
                log.write("");
                let handle = state.handle();
                state.modules.insert(handle, loaded);
                put(module, handle)
            }
            Err(error) => {
                log.write(&error.to_string());
                eprintln!("ptx-interpreter: {error}");
                state.report = Some(error.to_string());
                Err(ERROR_INVALID_PTX)
            }
        }
    })
}

/// Where the caller wants to read what is wrong.
#[derive(Default)]
struct Log {
    buffer: usize,
    size: usize,
}

impl Log {
    /// From the options of `cuModuleLoadDataEx`, whose values are numbers in the place of pointers.
    fn of(count: c_uint, options: *const c_int, values: *const usize) -> Self {
        let mut log = Self::default();
        for index in 0..count as usize {
            match (element(options, index), element(values, index)) {
                (Ok(ERROR_LOG_BUFFER), Ok(value)) => log.buffer = value,
                // The size is an unsigned int; the upper half of its slot may be anything.
                (Ok(ERROR_LOG_BUFFER_SIZE), Ok(value)) => log.size = value as u32 as usize,
                _ => {}
            }
        }
        log
    }

    fn write(&self, message: &str) {
        if self.size == 0 {
            return;
        }
        let mut text = message.as_bytes().to_vec();
        text.truncate(self.size - 1);
        text.push(0);
        // A missing buffer is the caller's choice.
        let _ = write_bytes(std::ptr::with_exposed_provenance_mut(self.buffer), &text);
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleLoadData(module: *mut usize, image: *const c_void) -> Code {
    load(module, image, Log::default())
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleLoadDataEx(
    module: *mut usize,
    image: *const c_void,
    count: c_uint,
    options: *const c_int,
    values: *const usize,
) -> Code {
    load(module, image, Log::of(count, options, values))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleUnload(module: usize) -> Code {
    counters::synchronised();
    call(|state| {
        let loaded = state.modules.remove(&module).ok_or(ERROR_INVALID_HANDLE)?;
        state.functions.retain(|_, function| function.0 != module);
        state.device.unload(&loaded);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleGetFunction(function: *mut usize, module: usize, name: *const c_char) -> Code {
    call(|state| {
        let name = string(name)?;
        let kernels = &state.modules.get(&module).ok_or(ERROR_INVALID_HANDLE)?.kernels;
        let index = kernels.iter().position(|kernel| kernel.name == name).ok_or(ERROR_NOT_FOUND)?;
        let handle = state.handle();
        state.functions.insert(handle, (module, index));
        put(function, handle)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleGetGlobal_v2(
    address: *mut u64,
    size: *mut usize,
    module: usize,
    name: *const c_char,
) -> Code {
    call(|state| {
        let name = string(name)?;
        let variables = &state.modules.get(&module).ok_or(ERROR_INVALID_HANDLE)?.variables;
        let &(start, bytes) = variables.get(&name).ok_or(ERROR_NOT_FOUND)?;
        put_optional(size, bytes);
        put_optional(address, start);
        Ok(())
    })
}
