//! A wish to stop, as a question that long work asks between steps.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Whether the user wants the work to stop. Clones share the answer.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks the work to stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// The answer itself, for handlers of signals, which may do little more than to set it.
    pub const fn flag(&self) -> &Arc<AtomicBool> {
        &self.0
    }

    /// Whether it was asked to.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
