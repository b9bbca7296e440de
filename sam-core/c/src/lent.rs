//! Numbers that the caller lends for as long as a handle is used.
#![allow(unsafe_code, reason = "memory of C programs")]

use core::borrow::{Borrow, BorrowMut};
use core::ptr::NonNull;
use core::slice;

/// A piece of the buffer, as a pointer: a reference to it exists only while a function of the interface runs. Between two calls the
/// caller may read it through pointers of its own, as it does where the second gradient is wanted, from one step to the next.
#[derive(Debug)]
pub(crate) struct Lent<T> {
    at: NonNull<T>,
    len: usize,
}

impl<T> Lent<T> {
    /// # Safety
    /// As long as it is used there are `len` initialised values at `at`, which is aligned, and while a method of it or a reference from it
    /// is used nobody else reads or writes them.
    pub(crate) const unsafe fn new(at: NonNull<T>, len: usize) -> Self {
        Self { at, len }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The address of the first value, of the provenance that the caller gave.
    pub(crate) const fn as_ptr(&self) -> *const T {
        self.at.as_ptr()
    }

    /// Takes the first `n` values off.
    pub(crate) fn take(&mut self, n: usize) -> Option<Self> {
        let rest = self.len.checked_sub(n)?;
        let taken = Self { at: self.at, len: n };
        // SAFETY: there are `len` values, hence a place after the first `n` of them, or the end.
        self.at = unsafe { self.at.add(n) };
        self.len = rest;
        Some(taken)
    }
}

/// None.
impl<T> Default for Lent<T> {
    fn default() -> Self {
        Self { at: NonNull::dangling(), len: 0 }
    }
}

impl<T> AsRef<[T]> for Lent<T> {
    fn as_ref(&self) -> &[T] {
        // SAFETY: the promise of `new`; of none, an aligned pointer to nothing.
        unsafe { slice::from_raw_parts(self.at.as_ptr(), self.len) }
    }
}

impl<T> AsMut<[T]> for Lent<T> {
    fn as_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `as_ref`; pieces that `take` makes lie apart.
        unsafe { slice::from_raw_parts_mut(self.at.as_ptr(), self.len) }
    }
}

impl<T> Borrow<[T]> for Lent<T> {
    fn borrow(&self) -> &[T] {
        self.as_ref()
    }
}

impl<T> BorrowMut<[T]> for Lent<T> {
    fn borrow_mut(&mut self) -> &mut [T] {
        self.as_mut()
    }
}
