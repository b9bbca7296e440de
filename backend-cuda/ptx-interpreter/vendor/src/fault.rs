//! Faults that a test can plant, to see that they are found.

mod kind;

pub use kind::Fault;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

static PLANTED: AtomicU32 = AtomicU32::new(0);
/// Whether a product has run since a fault was planted.
static LOADED: AtomicBool = AtomicBool::new(false);

/// Whether a fault is planted.
pub fn is(fault: Fault) -> bool {
    PLANTED.load(Ordering::SeqCst) == fault as u32
}

/// Plants the fault of a number, or none for 0.
#[unsafe(no_mangle)]
pub extern "C" fn vendor_stand_in_plant(fault: u32) {
    PLANTED.store(fault, Ordering::SeqCst);
    LOADED.store(false, Ordering::SeqCst);
}

/// Whether a product may not run here: loading and some work are forbidden in a capture.
pub fn forbids(captured: bool) -> bool {
    let loaded = LOADED.swap(true, Ordering::SeqCst);
    captured && (is(Fault::NeverCaptured) || (is(Fault::LoadsAtFirstUse) && !loaded))
}

/// Handles and descriptors that were not destroyed.
#[unsafe(no_mangle)]
pub extern "C" fn vendor_stand_in_objects() -> usize {
    crate::objects::count()
}

/// Products computed so far.
#[unsafe(no_mangle)]
pub extern "C" fn vendor_stand_in_products() -> u64 {
    crate::device::PRODUCTS.load(Ordering::SeqCst)
}
