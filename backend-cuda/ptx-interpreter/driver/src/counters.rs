//! What the interpreter adds to the driver API: counters, the last report, and a new start.

use std::ffi::{CString, c_char};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::state::each;

static SYNCHRONISATIONS: AtomicU64 = AtomicU64::new(0);
static LAUNCHES: AtomicU64 = AtomicU64::new(0);
static INSTRUCTIONS: AtomicU64 = AtomicU64::new(0);

/// Counts a call that makes the host wait for the device.
pub fn synchronised() {
    SYNCHRONISATIONS.fetch_add(1, Ordering::Relaxed);
}

/// Counts a kernel and what it executed.
pub fn launched(instructions: u64) {
    LAUNCHES.fetch_add(1, Ordering::Relaxed);
    INSTRUCTIONS.fetch_add(instructions, Ordering::Relaxed);
}

/// Calls so far that make the host wait for the device.
#[unsafe(no_mangle)]
pub extern "C" fn ptx_interpreter_synchronisations() -> u64 {
    SYNCHRONISATIONS.load(Ordering::Relaxed)
}

/// Kernels run so far, those of graphs among them.
#[unsafe(no_mangle)]
pub extern "C" fn ptx_interpreter_launches() -> u64 {
    LAUNCHES.load(Ordering::Relaxed)
}

/// Instructions executed so far, counted for each thread.
#[unsafe(no_mangle)]
pub extern "C" fn ptx_interpreter_instructions() -> u64 {
    INSTRUCTIONS.load(Ordering::Relaxed)
}

/// The report of the last fault of the first device that has one, or null. Stays valid.
#[unsafe(no_mangle)]
pub extern "C" fn ptx_interpreter_report() -> *const c_char {
    let mut report = None;
    each(|state| report = report.take().or_else(|| state.report.clone()));
    match report {
        // Faults are few and end the process on a device: their texts may live as long as it does.
        Some(report) => CString::new(report).map_or(std::ptr::null(), |text| text.into_raw().cast_const()),
        None => std::ptr::null(),
    }
}

/// Forgets the faults of all devices, as only a new process can.
#[unsafe(no_mangle)]
pub extern "C" fn ptx_interpreter_reset() {
    each(|state| (state.fault, state.report) = (None, None));
}
