//! Device memory, pinned memory, copies and fills.

use std::ffi::{c_uint, c_void};

use crate::code::{
    Code, ERROR_INVALID_VALUE, ERROR_NOT_SUPPORTED, ERROR_OUT_OF_MEMORY, ERROR_STREAM_CAPTURE_IMPLICIT,
};
use crate::counters;
use crate::graph::{Command, submit};
use crate::pointer::{bytes, put, put_optional, write_bytes};
use crate::state::{State, call};
use crate::stream::nothing_captured;

/// Alignment of pinned memory and, on a device, of every allocation.
const ALIGNMENT: usize = 256;

#[unsafe(no_mangle)]
pub extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> Code {
    call(|state| {
        let (available, all) = state.device.heap.usage();
        put_optional(free, available);
        put_optional(total, all);
        Ok(())
    })
}

fn allocate(state: &mut State, pointer: *mut u64, size: usize) -> Result<(), Code> {
    if size == 0 {
        return Err(ERROR_INVALID_VALUE);
    }
    let address = state.device.heap.allocate(size).ok_or(ERROR_OUT_OF_MEMORY)?;
    put(pointer, address)
}

fn free(state: &mut State, pointer: u64) -> Result<(), Code> {
    if pointer == 0 || state.device.heap.free(pointer) { Ok(()) } else { Err(ERROR_INVALID_VALUE) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemAlloc_v2(pointer: *mut u64, size: usize) -> Code {
    counters::synchronised();
    call(|state| {
        nothing_captured(state)?;
        allocate(state, pointer, size)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFree_v2(pointer: u64) -> Code {
    counters::synchronised();
    call(|state| {
        nothing_captured(state)?;
        free(state, pointer)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemAllocAsync(pointer: *mut u64, size: usize, stream: usize) -> Code {
    call(|state| {
        // A graph would own such memory, which nobody here needs.
        crate::stream::not_captured(state, stream)?;
        allocate(state, pointer, size)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeAsync(pointer: u64, stream: usize) -> Code {
    call(|state| {
        crate::stream::not_captured(state, stream)?;
        free(state, pointer)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemAllocHost_v2(pointer: *mut *mut c_void, size: usize) -> Code {
    counters::synchronised();
    call(|_| {
        // The size is kept in front, for the layout that freeing needs.
        let layout = pinned(size)?;
        // SAFETY: the layout has at least `ALIGNMENT` bytes.
        let start = unsafe { std::alloc::alloc_zeroed(layout) };
        if start.is_null() {
            return Err(ERROR_OUT_OF_MEMORY);
        }
        // SAFETY: the first bytes of the allocation, aligned for a `usize`.
        unsafe { start.cast::<usize>().write(size) };
        put(pointer, start.wrapping_add(ALIGNMENT).cast())
    })
}

fn pinned(size: usize) -> Result<std::alloc::Layout, Code> {
    let size = size.checked_add(ALIGNMENT).ok_or(ERROR_INVALID_VALUE)?;
    std::alloc::Layout::from_size_align(size, ALIGNMENT).map_err(|_| ERROR_INVALID_VALUE)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeHost(pointer: *mut c_void) -> Code {
    counters::synchronised();
    call(|_| {
        if pointer.is_null() {
            return Err(ERROR_INVALID_VALUE);
        }
        let start = pointer.cast::<u8>().wrapping_sub(ALIGNMENT);
        // SAFETY: by the API's contract the pointer came from `cuMemAllocHost`, which put the size there.
        let size = unsafe { start.cast::<usize>().read() };
        let layout = pinned(size)?;
        // SAFETY: as allocated.
        unsafe { std::alloc::dealloc(start, layout) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemAllocManaged(_pointer: *mut u64, _size: usize, _flags: c_uint) -> Code {
    // Addresses here are no pointers that the host could follow.
    call(|_| Err(ERROR_NOT_SUPPORTED))
}

/// Fills device memory with a value of one, two or four bytes.
pub fn fill(state: &mut State, to: u64, value: &[u8], count: usize) -> Result<(), Code> {
    if !to.is_multiple_of(value.len() as u64) {
        return Err(ERROR_INVALID_VALUE);
    }
    let size = value.len().checked_mul(count).ok_or(ERROR_INVALID_VALUE)?;
    let (region, offset) = state.device.heap.find(to).ok_or(ERROR_INVALID_VALUE)?;
    for chunk in region.write(offset, size).ok_or(ERROR_INVALID_VALUE)?.chunks_exact_mut(value.len()) {
        chunk.copy_from_slice(value);
    }
    Ok(())
}

/// Copies within the device; what was not written before is not written after.
pub fn copy_on_device(state: &mut State, to: u64, from: u64, size: usize) -> Result<(), Code> {
    let (source, offset) = state.device.heap.find(from).ok_or(ERROR_INVALID_VALUE)?;
    let data = source.read(offset, size).ok_or(ERROR_INVALID_VALUE)?.to_vec();
    let defined = source.defined(offset as usize, size);
    let (target, offset) = state.device.heap.find(to).ok_or(ERROR_INVALID_VALUE)?;
    target.write(offset, size).ok_or(ERROR_INVALID_VALUE)?.copy_from_slice(&data);
    let start = offset as usize;
    target.set_defined(start, start + size, |i| defined[i]);
    Ok(())
}

pub fn copy_to_device(state: &mut State, to: u64, from: *const u8, size: usize) -> Result<(), Code> {
    let data = bytes(from, size)?;
    let (region, offset) = state.device.heap.find(to).ok_or(ERROR_INVALID_VALUE)?;
    region.write(offset, size).ok_or(ERROR_INVALID_VALUE)?.copy_from_slice(data);
    Ok(())
}

pub fn copy_to_host(state: &mut State, to: *mut u8, from: u64, size: usize) -> Result<(), Code> {
    let (region, offset) = state.device.heap.find(from).ok_or(ERROR_INVALID_VALUE)?;
    write_bytes(to, region.read(offset, size).ok_or(ERROR_INVALID_VALUE)?)
}

/// A copy or fill without a stream belongs to the default one, which waits for those that are captured.
fn at_once(state: &mut State, command: &Command) -> Result<(), Code> {
    nothing_captured(state).map_err(|_| ERROR_STREAM_CAPTURE_IMPLICIT)?;
    command.execute(state)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyHtoD_v2(to: u64, from: *const c_void, size: usize) -> Code {
    counters::synchronised();
    call(|state| at_once(state, &Command::ToDevice { to, from: from.addr(), size }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoH_v2(to: *mut c_void, from: u64, size: usize) -> Code {
    counters::synchronised();
    call(|state| at_once(state, &Command::ToHost { to: to.addr(), from, size }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoD_v2(to: u64, from: u64, size: usize) -> Code {
    call(|state| at_once(state, &Command::OnDevice { to, from, size }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, size: usize, stream: usize) -> Code {
    call(|state| submit(state, stream, Command::ToDevice { to, from: from.addr(), size }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, size: usize, stream: usize) -> Code {
    call(|state| submit(state, stream, Command::ToHost { to: to.addr(), from, size }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, size: usize, stream: usize) -> Code {
    call(|state| submit(state, stream, Command::OnDevice { to, from, size }))
}

macro_rules! memset {
    ($($now:ident, $later:ident, $value:ty;)*) => { $(
        #[unsafe(no_mangle)]
        pub extern "C" fn $now(to: u64, value: $value, count: usize) -> Code {
            call(|state| at_once(state, &Command::Fill { to, value: value.to_le_bytes().to_vec(), count }))
        }

        #[unsafe(no_mangle)]
        pub extern "C" fn $later(to: u64, value: $value, count: usize, stream: usize) -> Code {
            call(|state| submit(state, stream, Command::Fill { to, value: value.to_le_bytes().to_vec(), count }))
        }
    )* };
}

memset! {
    cuMemsetD8_v2, cuMemsetD8Async, u8;
    cuMemsetD16_v2, cuMemsetD16Async, u16;
    cuMemsetD32_v2, cuMemsetD32Async, u32;
}
