//! Faults that a test can plant, to see that they are found.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

static PLANTED: AtomicU32 = AtomicU32::new(0);
/// Whether a product has run since a fault was planted.
static LOADED: AtomicBool = AtomicBool::new(false);

/// A fault by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Fault {
    /// The last entry of a product is off by a thousandth.
    WrongEntry = 1,
    /// Factors are cut off to TF32, whatever was asked for.
    LowPrecision = 2,
    /// Products take a tenth of a second more.
    Slow = 3,
    /// Nothing is supported.
    Unsupported = 4,
    /// Products fail.
    Failing = 5,
    /// Filters are taken to lie row by row with the filters last.
    FiltersLast = 6,
    /// Products want more workspace than there is on any card.
    Workspace = 7,
    /// The first product loads what it needs, which no capture survives.
    LoadsAtFirstUse = 8,
    /// No product can be captured.
    NeverCaptured = 9,
    /// Convolutions are refused as a wrong parameter, which is how the older functions say that they don't have them.
    BadParameter = 10,
    /// Products find no memory.
    OutOfMemory = 11,
    /// Heuristics know no engine for a graph of operations.
    NoEngine = 12,
    /// They find a wrong parameter in it.
    GraphBadParameter = 13,
    /// There is no memory for its plan.
    PlanOutOfMemory = 14,
    /// The sums that a graph leaves are those of half the rows.
    WrongSums = 15,
}

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
