//! A wish to stop, as a question that long work asks between steps.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Whether the user wants the work to stop. Clones share the answer.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks the work to stop. Returns whether that was asked before.
    pub fn request(&self) -> bool {
        self.0.swap(true, Ordering::SeqCst)
    }

    /// Whether it was asked to.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
