//! A network's team of threads in several hands.

use core::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::team::{Team, lock};

/// The threads that compute a network's layers, lent to whoever sweeps over its parameters as well. A handle: clones are the
/// same threads, which serve one at a time.
///
/// They sleep when nobody needs them, but a few microseconds late, so that a sweep right after a gradient finds them awake.
#[derive(Clone)]
pub struct Threads(Arc<Mutex<Team>>);

impl Threads {
    /// So many threads, the caller's included (0: as many as the machine has cores).
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn new(count: usize) -> std::io::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(Team::new(count)?))))
    }

    /// How many they are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().members()
    }

    /// A team stays sound when its work panics.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Team> {
        lock(&self.0)
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Threads").field(&self.count()).finish()
    }
}
