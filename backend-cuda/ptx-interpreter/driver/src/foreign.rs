//! Other libraries' work on the device, such as that of a stand-in for cuBLASLt: done in its stream's order, captured and
//! replayed as kernels are.

use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

use crate::code::{Code, ERROR_ILLEGAL_ADDRESS, ERROR_INVALID_VALUE, ERROR_LAUNCH_FAILED};
use crate::graph::{Command, submit};
use crate::pointer::{bytes, write_bytes};
use crate::state::{State, call};

/// Access to device memory, for as long as work runs. Reading what nobody wrote fails.
#[repr(C)]
pub struct Memory {
    state: *mut c_void,
    read: extern "C" fn(*mut c_void, u64, *mut u8, usize) -> Code,
    write: extern "C" fn(*mut c_void, u64, *const u8, usize) -> Code,
}

type Run = unsafe extern "C" fn(*const c_void, *const Memory) -> Code;
type Release = unsafe extern "C" fn(*mut c_void);

/// Work, released with its last copy.
#[derive(Clone)]
pub struct Foreign(Arc<Work>);

struct Work {
    run: Run,
    release: Release,
    data: *mut c_void,
}

// SAFETY: by the contract of `ptx_interpreter_submit` the functions take the data on any thread.
unsafe impl Send for Work {}
// SAFETY: as above; it runs under the lock of the state, on one thread at a time.
unsafe impl Sync for Work {}

impl Foreign {
    pub fn execute(&self, state: &mut State) -> Result<(), Code> {
        let memory = Memory { state: std::ptr::from_mut(state).cast(), read, write };
        let Work { run, data, .. } = *self.0;
        // SAFETY: by the contract of `ptx_interpreter_submit` the function takes this data.
        match unsafe { run(data, &memory) } {
            0 => Ok(()),
            code => Err(code),
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // SAFETY: as in `execute`; nobody has the data any more.
        unsafe { (self.release)(self.data) };
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Foreign")
    }
}

/// # Safety
/// `state` must be what [`Foreign::execute`] gave.
unsafe fn of<'a>(state: *mut c_void) -> &'a mut State {
    // SAFETY: it came from a unique reference that nobody uses while the work runs.
    unsafe { &mut *state.cast::<State>() }
}

extern "C" fn read(state: *mut c_void, from: u64, to: *mut u8, size: usize) -> Code {
    // SAFETY: only `execute` hands this function out, with its own state.
    let state = unsafe { of(state) };
    let mut outcome = || {
        let (region, offset) = state.device.heap.find(from).ok_or(ERROR_ILLEGAL_ADDRESS)?;
        let data = region.read(offset, size).ok_or(ERROR_ILLEGAL_ADDRESS)?;
        if state.device.checks.uninitialised && region.defined(offset as usize, size).contains(&false) {
            return Err(ERROR_LAUNCH_FAILED);
        }
        write_bytes(to, data)
    };
    outcome().map_or_else(|code| code, |()| 0)
}

extern "C" fn write(state: *mut c_void, to: u64, from: *const u8, size: usize) -> Code {
    // SAFETY: as in `read`.
    let state = unsafe { of(state) };
    let mut outcome = || {
        let (region, offset) = state.device.heap.find(to).ok_or(ERROR_ILLEGAL_ADDRESS)?;
        region.write(offset, size).ok_or(ERROR_ILLEGAL_ADDRESS)?.copy_from_slice(bytes(from, size)?);
        Ok(())
    };
    outcome().map_or_else(|code: Code| code, |()| 0)
}

/// Has `run` called with `data` when the stream comes to it, now or at every launch of the graph that captures it, and
/// `release` once when it never will again. Returns what `run` returns, if it runs now.
///
/// Both take the data on any thread; `run` touches device memory through what it is given and may not call the driver.
#[unsafe(no_mangle)]
pub extern "C" fn ptx_interpreter_submit(
    stream: usize,
    run: Option<Run>,
    release: Option<Release>,
    data: *mut c_void,
) -> Code {
    let (Some(run), Some(release)) = (run, release) else { return ERROR_INVALID_VALUE };
    let work = Foreign(Arc::new(Work { run, release, data }));
    call(|state| submit(state, stream, Command::Foreign(work)))
}
