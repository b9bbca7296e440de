//! Where pointers become references: the checks that all functions share.
#![allow(unsafe_code, reason = "pointers of C programs")]

use core::slice;

use crate::SamStatus;

/// Bytes of memory that a vector or a handle lies in.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    begin: usize,
    bytes: usize,
}

impl Place {
    /// Where `n` values lie.
    ///
    /// # Errors
    /// The pointer is null or not aligned, or no memory holds so many.
    pub(crate) fn of<T>(pointer: *const T, n: usize) -> Result<Self, SamStatus> {
        if pointer.is_null() {
            return Err(SamStatus::Null);
        }
        if !pointer.is_aligned() {
            return Err(SamStatus::Unaligned);
        }
        let bytes = n.checked_mul(size_of::<T>()).filter(|bytes| *bytes <= isize::MAX as usize);
        let bytes = bytes.ok_or(SamStatus::TooLarge)?;
        let begin = pointer.addr();
        begin.checked_add(bytes).ok_or(SamStatus::TooLarge)?;
        Ok(Self { begin, bytes })
    }

    /// # Errors
    /// The two share a byte.
    pub(crate) fn apart_from(self, other: Self) -> Result<(), SamStatus> {
        // Neither sum overflows: `of` has seen to it.
        let apart = self.begin.saturating_add(self.bytes) <= other.begin
            || other.begin.saturating_add(other.bytes) <= self.begin;
        if apart || self.bytes == 0 || other.bytes == 0 { Ok(()) } else { Err(SamStatus::Overlap) }
    }
}

/// # Errors
/// As [`Place::of`].
///
/// # Safety
/// A pointer that passes the checks points to `n` initialised values that nobody writes to for `'a`.
pub(crate) unsafe fn slice<'a, T>(pointer: *const T, n: usize) -> Result<&'a [T], SamStatus> {
    Place::of(pointer, n)?;
    // SAFETY: the pointer is aligned, not null and its bytes fit into memory; the rest is the caller's promise.
    Ok(unsafe { slice::from_raw_parts(pointer, n) })
}

/// # Errors
/// As [`Place::of`].
///
/// # Safety
/// A pointer that passes the checks points to `n` initialised values that nobody else reads or writes for `'a`.
pub(crate) unsafe fn slice_mut<'a, T>(pointer: *mut T, n: usize) -> Result<&'a mut [T], SamStatus> {
    Place::of(pointer, n)?;
    // SAFETY: as in `slice`.
    Ok(unsafe { slice::from_raw_parts_mut(pointer, n) })
}

/// # Errors
/// As [`Place::of`].
///
/// # Safety
/// A pointer that passes the checks points to an initialised value that nobody writes to for `'a`.
pub(crate) unsafe fn shared<'a, T>(pointer: *const T) -> Result<&'a T, SamStatus> {
    Place::of(pointer, 1)?;
    // SAFETY: as in `slice`.
    Ok(unsafe { &*pointer })
}

/// # Errors
/// As [`Place::of`].
///
/// # Safety
/// A pointer that passes the checks points to an initialised value that nobody else reads or writes for `'a`.
pub(crate) unsafe fn exclusive<'a, T>(pointer: *mut T) -> Result<&'a mut T, SamStatus> {
    Place::of(pointer, 1)?;
    // SAFETY: as in `slice`.
    Ok(unsafe { &mut *pointer })
}
