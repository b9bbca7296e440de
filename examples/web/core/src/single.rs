//! State that outlives a call from the page, without a lock that nobody could be waiting for.
#![allow(unsafe_code)]

use core::cell::RefCell;

/// A cell in a static of a program with one thread.
pub struct Single<T>(RefCell<T>);

// SAFETY: a WebAssembly module without shared memory has one thread. On other machines only tests run, and the
// exports, the only users, are not compiled there.
unsafe impl<T> Sync for Single<T> {}

impl<T> Single<T> {
    /// Holds `value`.
    pub const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// Lends the value out.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.0.borrow_mut())
    }
}
