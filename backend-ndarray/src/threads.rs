//! A network's team of threads in several hands.

use core::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::team::{Pool, Team, lock};

/// The threads that compute a network's layers, lent to whoever sweeps over its parameters as well. A handle: clones are the
/// same threads, which serve one at a time.
///
/// They sleep when nobody needs them, but a few microseconds late, so that a sweep right after a gradient finds them awake.
#[derive(Clone)]
pub struct Threads(Arc<Mutex<Team>>);

/// Multiply-adds of a layer's forward pass that are worth a thread: some ten microseconds, several times what it takes to share
/// a loop out.
const WORTH: u64 = 500_000;

/// The most threads that `work` in so many layers is worth.
pub fn worth(work: u64, layers: usize) -> usize {
    let a_layer = work / (layers as u64).max(1);
    usize::try_from(a_layer / WORTH).unwrap_or(usize::MAX).max(1)
}

impl Threads {
    /// Processors that this process may use; a control group's share of the processors' time counts as so many.
    pub(crate) fn cores() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    /// So many threads, the caller's included (0: as many as the machine has cores).
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn new(count: usize) -> std::io::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(Team::new(if count == 0 { Self::cores() } else { count })?))))
    }

    /// A host program's, to build networks on ([`Network::build_on`](crate::Network::build_on)): nobody starts threads of their own.
    #[must_use]
    pub fn lent(pool: Arc<dyn Pool>) -> Self {
        Self(Arc::new(Mutex::new(Team::lent(pool))))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_worth_their_work() {
        assert_eq!([0, WORTH, 2 * WORTH, 9 * WORTH].map(|work| worth(work, 1)), [1, 1, 2, 9]);
        assert_eq!([1, 2, 3, 0].map(|layers| worth(6 * WORTH, layers)), [6, 3, 2, 6]);
        assert!(worth(u64::MAX, 1) > 1 << 40);
    }
}
