//! Pointers that a C program gives: null is refused, for the rest its word has to do.

use std::ffi::{CStr, c_char};

use crate::code::{Code, ERROR_INVALID_VALUE};

/// Writes a result.
pub fn put<T>(to: *mut T, value: T) -> Result<(), Code> {
    if to.is_null() {
        return Err(ERROR_INVALID_VALUE);
    }
    // SAFETY: not null, and by the API's contract a place for a `T`.
    unsafe { to.write_unaligned(value) };
    Ok(())
}

/// Writes a result that the caller may not want.
pub fn put_optional<T>(to: *mut T, value: T) {
    // An absent place is nothing to complain of.
    let _ = put(to, value);
}

/// A C string.
pub fn string(from: *const c_char) -> Result<String, Code> {
    if from.is_null() {
        return Err(ERROR_INVALID_VALUE);
    }
    // SAFETY: not null, and by the API's contract the start of a string that ends with zero.
    Ok(unsafe { CStr::from_ptr(from) }.to_string_lossy().into_owned())
}

/// Bytes of the host.
pub fn bytes<'a>(from: *const u8, count: usize) -> Result<&'a [u8], Code> {
    match (count, from.is_null()) {
        (0, _) => Ok(&[]),
        (_, true) => Err(ERROR_INVALID_VALUE),
        // SAFETY: not null, and by the API's contract `count` bytes that nobody writes during the call.
        _ => Ok(unsafe { std::slice::from_raw_parts(from, count) }),
    }
}

/// Copies to the host's memory.
pub fn write_bytes(to: *mut u8, from: &[u8]) -> Result<(), Code> {
    if from.is_empty() {
        return Ok(());
    }
    if to.is_null() {
        return Err(ERROR_INVALID_VALUE);
    }
    // SAFETY: not null, by the API's contract a place for as many bytes, and not the interpreter's own memory.
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
    Ok(())
}

/// The `index`-th element of a C array.
pub fn element<T: Copy>(from: *const T, index: usize) -> Result<T, Code> {
    if from.is_null() {
        return Err(ERROR_INVALID_VALUE);
    }
    // SAFETY: not null, and by the API's contract an array with such an element.
    Ok(unsafe { from.add(index).read_unaligned() })
}
