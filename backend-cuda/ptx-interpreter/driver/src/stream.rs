//! Streams. Work is done when it is submitted, so there is nothing to wait for, but what may be asked is checked.

use std::ffi::{c_int, c_uint, c_void};

use crate::code::{Code, ERROR_INVALID_HANDLE, ERROR_INVALID_VALUE, ERROR_STREAM_CAPTURE_UNSUPPORTED};
use crate::counters;
use crate::pointer::put;
use crate::state::{State, call};

/// A stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stream {
    flags: c_uint,
    priority: c_int,
    /// The capture that it is part of.
    pub capture: Option<usize>,
}

/// The stream of a handle. 0 to 2 are the default streams, which are never captured.
pub fn find(state: &State, stream: usize) -> Result<Stream, Code> {
    if stream <= 2 {
        return Ok(Stream::default());
    }
    state.streams.get(&stream).copied().ok_or(ERROR_INVALID_HANDLE)
}

/// Refuses what would wait for a stream that is captured; the capture does not survive it.
pub fn not_captured(state: &mut State, stream: usize) -> Result<(), Code> {
    match find(state, stream)?.capture {
        Some(capture) => {
            if let Some(capture) = state.captures.get_mut(&capture) {
                capture.invalidated = true;
            }
            Err(ERROR_STREAM_CAPTURE_UNSUPPORTED)
        }
        None => Ok(()),
    }
}

/// Refuses what would wait for all streams while one is captured in a mode that forbids it to this thread.
pub fn nothing_captured(state: &mut State) -> Result<(), Code> {
    let mut forbidding = state.captures.values_mut().filter(|capture| capture.forbids()).peekable();
    if forbidding.peek().is_none() {
        return Ok(());
    }
    forbidding.for_each(|capture| capture.invalidated = true);
    Err(ERROR_STREAM_CAPTURE_UNSUPPORTED)
}

fn create(stream: *mut usize, flags: c_uint, priority: c_int) -> Code {
    call(|state| {
        if flags > 1 {
            return Err(ERROR_INVALID_VALUE);
        }
        let handle = state.handle();
        state.streams.insert(handle, Stream { flags, priority, capture: None });
        put(stream, handle)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamCreate(stream: *mut usize, flags: c_uint) -> Code {
    create(stream, flags, 0)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamCreateWithPriority(stream: *mut usize, flags: c_uint, priority: c_int) -> Code {
    create(stream, flags, priority)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamDestroy_v2(stream: usize) -> Code {
    call(|state| state.streams.remove(&stream).map(drop).ok_or(ERROR_INVALID_HANDLE))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamGetFlags(stream: usize, flags: *mut c_uint) -> Code {
    call(|state| put(flags, find(state, stream)?.flags))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamGetPriority(stream: usize, priority: *mut c_int) -> Code {
    call(|state| put(priority, find(state, stream)?.priority))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamSynchronize(stream: usize) -> Code {
    counters::synchronised();
    call(|state| not_captured(state, stream))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamQuery(stream: usize) -> Code {
    call(|state| not_captured(state, stream))
}

/// Later work of the stream comes after the event: of a captured event, it belongs to the capture too.
#[unsafe(no_mangle)]
pub extern "C" fn cuStreamWaitEvent(stream: usize, event: usize, _flags: c_uint) -> Code {
    call(|state| {
        find(state, stream)?;
        let capture = state.events.get(&event).ok_or(ERROR_INVALID_HANDLE)?.capture;
        if let (Some(capture), Some(stream)) = (capture, state.streams.get_mut(&stream)) {
            stream.capture.get_or_insert(capture);
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLaunchHostFunc(
    stream: usize,
    function: Option<unsafe extern "C" fn(*mut c_void)>,
    data: *mut c_void,
) -> Code {
    let ready = call(|state| not_captured(state, stream));
    match (ready, function) {
        (0, Some(function)) => {
            // SAFETY: by the API's contract the function takes this data. It is called without the lock, although it
            // must not call the driver.
            unsafe { function(data) };
            0
        }
        (0, None) => ERROR_INVALID_VALUE,
        (code, _) => code,
    }
}
