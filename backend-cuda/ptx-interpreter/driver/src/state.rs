//! The one device, and everything that handles stand for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use ptx_interpreter::{Checks, Device, Fault, Module};

use crate::code::{self, Code, ERROR_INVALID_CONTEXT, ERROR_NOT_INITIALIZED, ERROR_UNKNOWN, SUCCESS};
use crate::event::Event;
use crate::graph::{Capture, Command};
use crate::log::Log;
use crate::stream::Stream;

/// Everything behind the API.
pub struct State {
    pub initialised: bool,
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

static STATE: LazyLock<Mutex<State>> = LazyLock::new(|| Mutex::new(State::new()));

thread_local! {
    /// Contexts of this thread, the current one last.
    pub static CONTEXTS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Bytes of device memory, unless `PTX_INTERPRETER_MEMORY` says otherwise.
const MEMORY: usize = 4 << 30;

impl State {
    fn new() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.trim().parse::<u64>().ok());
        let defaults = Checks::default();
        let (log, dry) = (Log::open(), number("PTX_INTERPRETER_DRY") == Some(1));
        let checks = Checks {
            races: number("PTX_INTERPRETER_RACES").map_or(defaults.races, |value| value != 0),
            uninitialised: number("PTX_INTERPRETER_UNINITIALISED")
                .map_or(defaults.uninitialised, |value| value != 0),
            limit: number("PTX_INTERPRETER_LIMIT").unwrap_or(defaults.limit),
            traffic: log.is_some(),
        };
        let memory = number("PTX_INTERPRETER_MEMORY").map_or(MEMORY, |bytes| bytes as usize);
        Self {
            initialised: false,
            device: if dry { Device::hollow(memory) } else { Device::new(memory, checks) },
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
            next_handle: 0x1000,
        }
    }

    /// A handle that was never given out.
    pub fn handle(&mut self) -> usize {
        self.next_handle += 16;
        self.next_handle
    }

    /// Keeps a fault: all further calls return its code.
    pub fn fail(&mut self, fault: &Fault) {
        eprintln!("ptx-interpreter: {fault}");
        self.fault = Some(code::of_fault(fault.kind));
        self.report = Some(fault.to_string());
    }
}

/// The state, whoever may have panicked with it.
pub fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call that needs neither a context nor a healthy device.
pub fn query(call: impl FnOnce(&mut State) -> Result<(), Code>) -> Code {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut state = lock();
        if state.initialised { call(&mut state) } else { Err(ERROR_NOT_INITIALIZED) }
    }));
    match outcome {
        Ok(Ok(())) => SUCCESS,
        Ok(Err(code)) => code,
        Err(_) => ERROR_UNKNOWN,
    }
}

/// A call that works on the device: after a fault, all of them return its code.
pub fn call(call: impl FnOnce(&mut State) -> Result<(), Code>) -> Code {
    let current = CONTEXTS.with_borrow(|contexts| contexts.last().is_some_and(|&context| context != 0));
    query(|state| match state.fault {
        Some(code) => Err(code),
        None if !current => Err(ERROR_INVALID_CONTEXT),
        None => call(state),
    })
}
