//! Events: marks in a stream, with the time when they were passed.

use std::ffi::c_uint;
use std::time::Instant;

use crate::code::{Code, ERROR_INVALID_HANDLE, ERROR_STREAM_CAPTURE_UNSUPPORTED};
use crate::counters;
use crate::graph::{Command, submit};
use crate::pointer::put;
use crate::state::{State, call};

/// An event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Event {
    recorded: Option<Instant>,
    timing: bool,
    /// The capture in which it was recorded last.
    pub capture: Option<usize>,
}

/// `CU_EVENT_DISABLE_TIMING`.
const DISABLE_TIMING: c_uint = 2;
/// `CU_EVENT_RECORD_EXTERNAL`.
const RECORD_EXTERNAL: c_uint = 1;

fn find(state: &State, event: usize) -> Result<Event, Code> {
    state.events.get(&event).copied().ok_or(ERROR_INVALID_HANDLE)
}

fn not_captured(state: &State, event: usize) -> Result<(), Code> {
    match find(state, event)?.capture {
        Some(_) => Err(ERROR_STREAM_CAPTURE_UNSUPPORTED),
        None => Ok(()),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventCreate(event: *mut usize, flags: c_uint) -> Code {
    call(|state| {
        let handle = state.handle();
        state.events.insert(handle, Event { timing: flags & DISABLE_TIMING == 0, ..Event::default() });
        put(event, handle)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventDestroy_v2(event: usize) -> Code {
    call(|state| state.events.remove(&event).map(drop).ok_or(ERROR_INVALID_HANDLE))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventRecord(event: usize, stream: usize) -> Code {
    call(|state| {
        let capture = crate::stream::find(state, stream)?.capture;
        let event = state.events.get_mut(&event).ok_or(ERROR_INVALID_HANDLE)?;
        event.capture = capture;
        event.recorded = Some(Instant::now());
        Ok(())
    })
}

/// With `EXTERNAL` a capture keeps the mark and sets it at every launch of its graph.
#[unsafe(no_mangle)]
pub extern "C" fn cuEventRecordWithFlags(event: usize, stream: usize, flags: c_uint) -> Code {
    if flags & RECORD_EXTERNAL == 0 {
        return cuEventRecord(event, stream);
    }
    call(|state| {
        find(state, event)?;
        submit(state, stream, Command::Mark { event })
    })
}

/// Sets the mark now.
pub fn mark(state: &mut State, event: usize) -> Result<(), Code> {
    let event = state.events.get_mut(&event).ok_or(ERROR_INVALID_HANDLE)?;
    (event.capture, event.recorded) = (None, Some(Instant::now()));
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventQuery(event: usize) -> Code {
    call(|state| not_captured(state, event))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventSynchronize(event: usize) -> Code {
    counters::synchronised();
    call(|state| not_captured(state, event))
}

/// Milliseconds from one event to the other.
#[unsafe(no_mangle)]
pub extern "C" fn cuEventElapsedTime(milliseconds: *mut f32, start: usize, end: usize) -> Code {
    call(|state| {
        let (start, end) = (find(state, start)?, find(state, end)?);
        match (start.recorded, end.recorded) {
            (Some(from), Some(to)) if start.timing && end.timing => {
                let forward = to.saturating_duration_since(from).as_secs_f32();
                put(milliseconds, 1e3 * (forward - from.saturating_duration_since(to).as_secs_f32()))
            }
            _ => Err(ERROR_INVALID_HANDLE),
        }
    })
}
