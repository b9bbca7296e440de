//! Descriptors: objects of a library's that hold what a call is about, on the host.

#![allow(unsafe_code, reason = "handles that go with their owner")]

use core::ptr::null_mut;

/// A descriptor, destroyed with its owner.
#[derive(Debug)]
pub(super) struct Descriptor<T> {
    raw: *mut T,
    destroy: unsafe extern "C" fn(*mut T) -> u32,
}

// SAFETY: a handle to memory of the host's that the library reads and writes in calls only, from whichever thread.
unsafe impl<T> Send for Descriptor<T> {}

impl<T> Descriptor<T> {
    /// What `create` makes; its status if it is not zero.
    ///
    /// # Safety
    /// `create` writes the address of an object to its argument where it returns zero, and `destroy` destroys such.
    pub unsafe fn new(
        create: impl FnOnce(*mut *mut T) -> u32,
        destroy: unsafe extern "C" fn(*mut T) -> u32,
    ) -> Result<Self, u32> {
        let mut raw = null_mut();
        match create(&mut raw) {
            0 => Ok(Self { raw, destroy }),
            status => Err(status),
        }
    }

    pub const fn raw(&self) -> *mut T {
        self.raw
    }
}

impl<T> Drop for Descriptor<T> {
    fn drop(&mut self) {
        // SAFETY: nobody else has the handle; the library is never unloaded. A failure has nobody to go to.
        let _ = unsafe { (self.destroy)(self.raw) };
    }
}
