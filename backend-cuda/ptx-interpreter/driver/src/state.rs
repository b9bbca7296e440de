//! The devices, and everything that handles stand for: each has a state of its own, so that threads on several devices do not wait for each
//! other.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use ptx_interpreter::{Checks, Device, Fault, Module};

use crate::code::{
    self, Code, ERROR_INVALID_CONTEXT, ERROR_INVALID_DEVICE, ERROR_NOT_INITIALIZED, ERROR_UNKNOWN, SUCCESS,
};
use crate::event::Event;
use crate::graph::{Capture, Command};
use crate::log::Log;
use crate::stream::Stream;

/// Everything behind the API, of one device.
pub struct State {
    /// The device's number.
    pub ordinal: usize,
    pub device: Device,
    pub fault: Option<Code>,
    pub report: Option<String>,
    pub modules: HashMap<usize, Module>,
    /// Functions: their module and their place in it.
    pub functions: HashMap<usize, (usize, usize)>,
    pub streams: HashMap<usize, Stream>,
    pub events: HashMap<usize, Event>,
    pub captures: HashMap<usize, Capture>,
    pub graphs: HashMap<usize, Vec<Command>>,
    pub executables: HashMap<usize, Vec<Command>>,
    pub log: Option<Log>,
    /// Whether nothing is done, only told.
    pub dry: bool,
    next_handle: usize,
}

/// Whether `cuInit` was called.
pub static INITIALISED: AtomicBool = AtomicBool::new(false);

/// Devices that there can be: a handle's lowest bits say whose it is.
const MOST_DEVICES: usize = 16;

static STATES: LazyLock<Vec<Mutex<State>>> = LazyLock::new(|| {
    let asked = number("PTX_INTERPRETER_DEVICES").unwrap_or(1);
    (0..asked.clamp(1, MOST_DEVICES as u64) as usize).map(|ordinal| Mutex::new(State::new(ordinal))).collect()
});

/// A number that the environment may have.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.trim().parse().ok()
}

thread_local! {
    /// Contexts of this thread, the current one last.
    pub static CONTEXTS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Bytes of memory that a device has, unless `PTX_INTERPRETER_MEMORY` says otherwise.
const MEMORY: usize = 4 << 30;

/// Numbers of allocations that a device has for itself, so that no address is one of another device too.
const ALLOCATIONS: u64 = 1 << 23;

impl State {
    fn new(ordinal: usize) -> Self {
        let defaults = Checks::default();
        // One file is the first device's.
        let log = if ordinal == 0 { Log::open() } else { None };
        let dry = number("PTX_INTERPRETER_DRY") == Some(1);
        let checks = Checks {
            races: number("PTX_INTERPRETER_RACES").map_or(defaults.races, |value| value != 0),
            uninitialised: number("PTX_INTERPRETER_UNINITIALISED")
                .map_or(defaults.uninitialised, |value| value != 0),
            limit: number("PTX_INTERPRETER_LIMIT").unwrap_or(defaults.limit),
            traffic: log.is_some(),
        };
        let memory = number("PTX_INTERPRETER_MEMORY").map_or(MEMORY, |bytes| bytes as usize);
        let mut device = if dry { Device::hollow(memory) } else { Device::new(memory, checks) };
        device.heap.begin_at(ordinal as u64 * ALLOCATIONS);
        Self {
            ordinal,
            device,
            fault: None,
            report: None,
            modules: HashMap::new(),
            functions: HashMap::new(),
            streams: HashMap::new(),
            events: HashMap::new(),
            captures: HashMap::new(),
            graphs: HashMap::new(),
            executables: HashMap::new(),
            log,
            dry,
            // Small handles are special: no stream, the legacy one, the thread's own.
            next_handle: 0x1000 + ordinal,
        }
    }

    /// A handle that was never given out.
    pub fn handle(&mut self) -> usize {
        self.next_handle += MOST_DEVICES;
        self.next_handle
    }

    /// Keeps a fault: all further calls return its code.
    pub fn fail(&mut self, fault: &Fault) {
        eprintln!("ptx-interpreter: {fault}");
        self.fault = Some(code::of_fault(fault.kind));
        self.report = Some(fault.to_string());
    }
}

/// Handle of a device's primary context: as all handles it says in its lowest bits whose it is.
pub const fn primary_context(ordinal: usize) -> usize {
    0x100 + ordinal
}

/// The device of this thread's current context, if there is one.
fn current() -> Option<usize> {
    let context = CONTEXTS.with_borrow(|contexts| contexts.last().copied())?;
    (context != 0).then_some(context % MOST_DEVICES)
}

/// The number of devices.
pub fn devices() -> usize {
    STATES.len()
}

/// The state of the device `ordinal`, whoever may have panicked with it.
fn lock(ordinal: usize) -> Option<MutexGuard<'static, State>> {
    STATES.get(ordinal).map(|state| state.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The states of all devices, one after the other.
pub fn each(mut action: impl FnMut(&mut State)) {
    (0..devices()).filter_map(lock).for_each(|mut state| action(&mut state));
}

/// A call that needs neither a context nor a healthy device. Without a context it asks the first device.
pub fn query(call: impl FnOnce(&mut State) -> Result<(), Code>) -> Code {
    query_device(current().unwrap_or(0), call)
}

/// The same of the device of a number.
pub fn query_of(device: c_int, call: impl FnOnce(&mut State) -> Result<(), Code>) -> Code {
    query_device(usize::try_from(device).unwrap_or(usize::MAX), call)
}

fn query_device(ordinal: usize, call: impl FnOnce(&mut State) -> Result<(), Code>) -> Code {
    query_nothing(|| call(&mut *lock(ordinal).ok_or(ERROR_INVALID_DEVICE)?))
}

/// A call that asks no device, and waits for none: another thread's work may go on there.
pub fn query_nothing(call: impl FnOnce() -> Result<(), Code>) -> Code {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        if INITIALISED.load(Ordering::SeqCst) { call() } else { Err(ERROR_NOT_INITIALIZED) }
    }));
    match outcome {
        Ok(Ok(())) => SUCCESS,
        Ok(Err(code)) => code,
        Err(_) => ERROR_UNKNOWN,
    }
}

/// A call that works on the device of the current context: after a fault, all of them return its code.
pub fn call(call: impl FnOnce(&mut State) -> Result<(), Code>) -> Code {
    query(|state| match state.fault {
        Some(code) => Err(code),
        None if current().is_none() => Err(ERROR_INVALID_CONTEXT),
        None => call(state),
    })
}
