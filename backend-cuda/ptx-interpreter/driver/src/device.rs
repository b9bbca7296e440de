//! What the device says about itself.

use std::ffi::{c_char, c_int};

use crate::code::{Code, ERROR_INVALID_VALUE};
use crate::pointer::{put, write_bytes};
use crate::state::{devices, query_nothing, query_of};

/// Threads of a block.
pub const MAX_THREADS: u32 = 1024;
/// Blocks in the first and in the other dimensions of a grid.
pub const MAX_GRID: [u32; 3] = [0x7fff_ffff, 65535, 65535];
/// Bytes of shared memory of a block.
pub const MAX_SHARED: usize = 48 << 10;
/// Bytes that a block may have when the program opts in.
pub const MAX_SHARED_OPT_IN: usize = 64 << 10;

/// Compute capability: 8.0, or what `PTX_INTERPRETER_CAPABILITY` says.
pub fn capability() -> (u32, u32) {
    let parse = |text: String| {
        let (major, minor) = text.trim().split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    std::env::var("PTX_INTERPRETER_CAPABILITY").ok().and_then(parse).unwrap_or((8, 0))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetCount(count: *mut c_int) -> Code {
    query_nothing(|| put(count, devices() as c_int))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGet(device: *mut c_int, ordinal: c_int) -> Code {
    query_of(ordinal, |_| put(device, ordinal))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetName(name: *mut c_char, length: c_int, device: c_int) -> Code {
    query_of(device, |_| {
        let length = usize::try_from(length).ok().filter(|&n| n > 0).ok_or(ERROR_INVALID_VALUE)?;
        let mut text = b"PTX interpreter".to_vec();
        text.truncate(length - 1);
        text.push(0);
        write_bytes(name.cast(), &text)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetUuid(uuid: *mut [u8; 16], device: c_int) -> Code {
    query_of(device, |state| {
        let mut text = *b"ptx-interpreter.";
        text[15] += state.ordinal as u8;
        put(uuid, text)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, device: c_int) -> Code {
    query_of(device, |state| put(bytes, state.device.heap.usage().1))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_int, device: c_int) -> Code {
    query_of(device, |_| {
        let (major, minor) = capability();
        let answer = match attribute {
            1..=3 | 39 => MAX_THREADS,
            4 => 64,
            5..=7 => MAX_GRID[attribute as usize - 5],
            8 | 81 => MAX_SHARED as u32,
            97 => MAX_SHARED_OPT_IN as u32,
            // Constant memory, warp size, registers of a block and of a multiprocessor.
            9 => 64 << 10,
            10 => 32,
            12 | 82 => 64 << 10,
            // One multiprocessor, which addresses all memory alike.
            16 | 41 | 106 => 1,
            75 => major,
            76 => minor,
            _ => 0,
        };
        put(value, answer as c_int)
    })
}
