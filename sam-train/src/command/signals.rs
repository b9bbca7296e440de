//! Ctrl-C, hang-ups and the termination signal.

use std::process;

use crate::interrupt::Interrupt;

/// The exit code of a command that was interrupted and left what resumes it: 128 + SIGINT, as shells report it.
pub const EXIT_CODE: u8 = 130;

/// An interrupt that the first Ctrl-C, hang-up or termination signal requests; the second one ends the process at once.
///
/// # Errors
/// When the process has a handler already or the system refuses one.
pub fn interrupt() -> Result<Interrupt, ctrlc::Error> {
    let interrupt = Interrupt::default();
    let shared = interrupt.clone();
    ctrlc::set_handler(move || {
        if shared.request() {
            process::exit(EXIT_CODE.into());
        }
    })?;
    Ok(interrupt)
}
