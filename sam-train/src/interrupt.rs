//! Ctrl-C and the termination signal as a question that long work asks between steps.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// The exit code of a command that was interrupted and left what resumes it: 128 + SIGINT, as shells report it.
pub const EXIT_CODE: u8 = 130;

/// Whether the user wants the work to stop. Clones share the answer.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// An interrupt that the first Ctrl-C, hang-up or termination signal requests; the second one ends the process
    /// at once.
    ///
    /// # Errors
    /// When the process has a handler already or the system refuses one.
    pub fn on_signals() -> Result<Self, ctrlc::Error> {
        let interrupt = Self::default();
        let shared = interrupt.clone();
        ctrlc::set_handler(move || {
            if shared.0.swap(true, Ordering::SeqCst) {
                process::exit(EXIT_CODE.into());
            }
        })?;
        Ok(interrupt)
    }

    /// Asks the work to stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was asked to.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
