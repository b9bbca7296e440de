//! Ctrl-C, hang-ups, the termination signal, and the one that queues send before a time limit.

use std::{fs, io, sync::Arc};

#[cfg(unix)]
use signal_hook::consts::{SIGABRT, SIGHUP, SIGUSR1};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use crate::interrupt::Interrupt;

/// The exit code of a command that was interrupted and left what resumes it: 128 + SIGINT, as shells report it.
pub const EXIT_CODE: u8 = 130;

/// What asks a run to stop.
const SIGNALS: &[i32] = &[
    SIGINT,
    SIGTERM,
    #[cfg(unix)]
    SIGHUP,
];

/// What asks a run to stop however often it comes: a queue's warning, which launchers may pass on more than once.
const WARNINGS: &[i32] = &[
    #[cfg(unix)]
    SIGUSR1,
];

/// An interrupt that the first of these signals requests; the second one ends the process at once, unless it is a
/// warning. A signal that whoever
/// started the command has it ignore stays ignored, as `nohup` wants it.
///
/// # Errors
/// When the system refuses a handler.
pub fn interrupt() -> io::Result<Interrupt> {
    let interrupt = Interrupt::default();
    let ignored = ignored();
    for &signal in SIGNALS.iter().filter(|&&signal| ignored & (1 << (signal - 1)) == 0) {
        // In this order: the first signal does not see its own request.
        flag::register_conditional_shutdown(signal, EXIT_CODE.into(), Arc::clone(interrupt.flag()))?;
        flag::register(signal, Arc::clone(interrupt.flag()))?;
    }
    for &signal in WARNINGS.iter().filter(|&&signal| ignored & (1 << (signal - 1)) == 0) {
        flag::register(signal, Arc::clone(interrupt.flag()))?;
    }
    // Memory that is not to be had ends the process by this signal, after a line that says how much was asked for: that is a
    // failure like others, and no crash to be looked into.
    #[cfg(unix)]
    flag::register_conditional_shutdown(SIGABRT, 1, Arc::new(true.into()))?;
    Ok(interrupt)
}

/// The signals that the process ignores, a bit each from signal 1 on; none where the system does not tell.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
