//! Commands of streams, and graphs of them: what a stream does while it is captured is kept instead of done.

use std::ffi::{c_char, c_int, c_uint, c_ulonglong};
use std::thread::{self, ThreadId};

use crate::code::{
    Code, ERROR_ILLEGAL_STATE, ERROR_INVALID_HANDLE, ERROR_STREAM_CAPTURE_INVALIDATED,
    ERROR_STREAM_CAPTURE_UNSUPPORTED,
};
use crate::event;
use crate::foreign::Foreign;
use crate::launch::Kernel;
use crate::memory;
use crate::pointer::{put, put_optional};
use crate::state::{State, call};

/// What a stream can be told to do. Addresses of the host are numbers here, so that they may rest.
#[derive(Debug, Clone)]
pub enum Command {
    Launch(Kernel),
    Fill { to: u64, value: Vec<u8>, count: usize },
    ToDevice { to: u64, from: usize, size: usize },
    ToHost { to: usize, from: u64, size: usize },
    OnDevice { to: u64, from: u64, size: usize },
    Mark { event: usize },
    Foreign(Foreign),
}

impl Command {
    pub fn execute(&self, state: &mut State) -> Result<(), Code> {
        if let (Some(log), Some((what, bytes))) = (&mut state.log, self.moves()) {
            log.note(what, bytes);
        }
        match self {
            Self::Launch(kernel) => kernel.execute(state),
            Self::Mark { event } => event::mark(state, *event),
            _ if state.dry => Ok(()),
            Self::Fill { to, value, count } => memory::fill(state, *to, value, *count),
            Self::ToDevice { to, from, size } => {
                memory::copy_to_device(state, *to, std::ptr::with_exposed_provenance(*from), *size)
            }
            Self::ToHost { to, from, size } => {
                memory::copy_to_host(state, std::ptr::with_exposed_provenance_mut(*to), *from, *size)
            }
            Self::OnDevice { to, from, size } => memory::copy_on_device(state, *to, *from, *size),
            Self::Foreign(work) => work.execute(state),
        }
    }

    /// What is said of it in the log, and the bytes that it moves.
    const fn moves(&self) -> Option<(&'static str, usize)> {
        match self {
            Self::Fill { value, count, .. } => Some(("fill", value.len() * *count)),
            Self::ToDevice { size, .. } => Some(("in", *size)),
            Self::ToHost { size, .. } => Some(("out", *size)),
            Self::OnDevice { size, .. } => Some(("copy", *size)),
            Self::Launch(_) | Self::Mark { .. } | Self::Foreign(_) => None,
        }
    }
}

/// `CU_STREAM_CAPTURE_MODE_GLOBAL` and `CU_STREAM_CAPTURE_MODE_THREAD_LOCAL`; there is `RELAXED` too.
const GLOBAL: c_int = 0;
const THREAD_LOCAL: c_int = 1;

/// A capture under way.
#[derive(Debug)]
pub struct Capture {
    pub commands: Vec<Command>,
    /// The stream that began it and must end it.
    pub origin: usize,
    /// Whom it forbids to wait for all streams, to allocate, to load modules.
    pub mode: c_int,
    /// The thread that began it.
    pub thread: ThreadId,
    /// Whether something happened meanwhile that a capture does not survive.
    pub invalidated: bool,
}

impl Capture {
    /// Whether it forbids this thread what waits for all streams.
    pub fn forbids(&self) -> bool {
        self.mode == GLOBAL || (self.mode == THREAD_LOCAL && self.thread == thread::current().id())
    }
}

/// Does a command, or keeps it if the stream is captured.
pub fn submit(state: &mut State, stream: usize, command: Command) -> Result<(), Code> {
    let capture = crate::stream::find(state, stream)?.capture;
    match capture.and_then(|capture| state.captures.get_mut(&capture)) {
        Some(capture) => {
            capture.commands.push(command);
            Ok(())
        }
        None => command.execute(state),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamBeginCapture_v2(stream: usize, mode: c_int) -> Code {
    call(|state| {
        // The default stream cannot be captured.
        if stream <= 2 {
            return Err(ERROR_STREAM_CAPTURE_UNSUPPORTED);
        }
        let handle = state.handle();
        let stream_state = state.streams.get_mut(&stream).ok_or(ERROR_INVALID_HANDLE)?;
        if stream_state.capture.is_some() {
            return Err(ERROR_ILLEGAL_STATE);
        }
        stream_state.capture = Some(handle);
        let thread = thread::current().id();
        let capture = Capture { commands: Vec::new(), origin: stream, mode, thread, invalidated: false };
        state.captures.insert(handle, capture);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamEndCapture(stream: usize, graph: *mut usize) -> Code {
    call(|state| {
        let capture =
            state.streams.get(&stream).ok_or(ERROR_INVALID_HANDLE)?.capture.ok_or(ERROR_ILLEGAL_STATE)?;
        if state.captures.get(&capture).is_none_or(|c| c.origin != stream) {
            return Err(ERROR_ILLEGAL_STATE);
        }
        for other in state.streams.values_mut().filter(|s| s.capture == Some(capture)) {
            other.capture = None;
        }
        let capture = state.captures.remove(&capture).ok_or(ERROR_ILLEGAL_STATE)?;
        if capture.invalidated {
            put(graph, 0)?;
            return Err(ERROR_STREAM_CAPTURE_INVALIDATED);
        }
        let handle = state.handle();
        state.graphs.insert(handle, capture.commands);
        put(graph, handle)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamIsCapturing(stream: usize, status: *mut c_int) -> Code {
    call(|state| {
        let capture = crate::stream::find(state, stream)?.capture;
        let invalidated = capture.and_then(|c| state.captures.get(&c)).is_some_and(|c| c.invalidated);
        put(status, c_int::from(capture.is_some()) + c_int::from(invalidated))
    })
}

fn instantiate(executable: *mut usize, graph: usize) -> Code {
    call(|state| {
        let commands = state.graphs.get(&graph).ok_or(ERROR_INVALID_HANDLE)?.clone();
        let handle = state.handle();
        state.executables.insert(handle, commands);
        put(executable, handle)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphInstantiate_v2(
    executable: *mut usize,
    graph: usize,
    error_node: *mut usize,
    _log: *mut c_char,
    _log_size: usize,
) -> Code {
    put_optional(error_node, 0);
    instantiate(executable, graph)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphInstantiateWithFlags(
    executable: *mut usize,
    graph: usize,
    _flags: c_ulonglong,
) -> Code {
    instantiate(executable, graph)
}

/// Number of nodes; their handles if there is room for them.
#[unsafe(no_mangle)]
pub extern "C" fn cuGraphGetNodes(graph: usize, nodes: *mut usize, count: *mut usize) -> Code {
    call(|state| {
        let length = state.graphs.get(&graph).ok_or(ERROR_INVALID_HANDLE)?.len();
        if nodes.is_null() {
            return put(count, length);
        }
        let room = crate::pointer::element(count, 0)?.min(length);
        for node in 0..room {
            // Handles of graphs are 16 apart; a node's lies far above all of them.
            put(nodes.wrapping_add(node), (graph << 32) + node)?;
        }
        put(count, room)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphLaunch(executable: usize, stream: usize) -> Code {
    call(|state| {
        let commands = state.executables.get(&executable).ok_or(ERROR_INVALID_HANDLE)?.clone();
        commands.into_iter().try_for_each(|command| submit(state, stream, command))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphExecDestroy(executable: usize) -> Code {
    call(|state| state.executables.remove(&executable).map(drop).ok_or(ERROR_INVALID_HANDLE))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphDestroy(graph: usize) -> Code {
    call(|state| state.graphs.remove(&graph).map(drop).ok_or(ERROR_INVALID_HANDLE))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuThreadExchangeStreamCaptureMode(mode: *mut c_uint) -> Code {
    // What a capture was begun with counts here; a thread starts with the strictest.
    call(|_| put(mode, 0))
}
