//! Whether this thread records its work instead of having it done, and what it gives up meanwhile.

use core::{
    cell::{Cell, RefCell},
    mem::take,
};

use cust::sys::{CUdeviceptr, CUstream};

thread_local! {
    /// The stream that this thread's work goes to while it is recorded, in place of the device's own.
    static RECORDING: Cell<Option<CUstream>> = const { Cell::new(None) };

    /// Buffers that were given up meanwhile, with their bytes.
    static GIVEN_UP: RefCell<Vec<(CUdeviceptr, usize)>> = const { RefCell::new(Vec::new()) };
}

/// Takes over a buffer that is given up while this thread records, if it does: what is recorded may refer to it, and memory may not be
/// freed meanwhile. The recording fails at its end and frees it.
pub(crate) fn take_over(address: CUdeviceptr, bytes: usize) -> bool {
    let records = RECORDING.try_with(|recording| recording.get().is_some()).unwrap_or(false);
    records && GIVEN_UP.try_with(|given_up| given_up.borrow_mut().push((address, bytes))).is_ok()
}

/// The buffers that were taken over, with their bytes: from now on the caller's to free.
pub(crate) fn given_up() -> Vec<(CUdeviceptr, usize)> {
    GIVEN_UP.with_borrow_mut(take)
}

/// The stream that records what this thread asks for, if one does.
pub(crate) fn recording() -> Option<CUstream> {
    RECORDING.get()
}

/// This thread's work goes to a stream that records, until this is dropped.
pub(crate) struct Redirected(Option<CUstream>);

impl Redirected {
    pub fn to(stream: CUstream) -> Self {
        Self(RECORDING.replace(Some(stream)))
    }
}

impl Drop for Redirected {
    fn drop(&mut self) {
        RECORDING.set(self.0);
    }
}
