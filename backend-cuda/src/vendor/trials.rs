//! What trials of libraries' kernels came to.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::verdicts::{Key, Shelf, Verdict};
use crate::CudaError;

/// What trials of libraries' kernels came to, so that equal layers choose alike; with where that is kept for other processes,
/// once somebody has asked.
#[derive(Default)]
pub(super) struct Trials(Mutex<Option<(HashMap<Key, Verdict>, Shelf)>>);

impl Trials {
    /// The verdict on a kernel: an earlier one, of this process or another, or that of a trial, in which a failure counts against
    /// the library, in this process only. One trial at a time.
    pub fn verdict<K>(
        &self,
        shelf: impl FnOnce() -> Shelf,
        key: Key,
        mut kernel: K,
        trial: impl FnOnce(&mut K) -> Result<Verdict, CudaError>,
    ) -> (Verdict, K) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (verdicts, shelf) = known.get_or_insert_with(|| {
            let shelf = shelf();
            (shelf.read(), shelf)
        });
        let verdict = verdicts.entry(key).or_insert_with(|| match trial(&mut kernel) {
            Ok(verdict) => {
                shelf.add(&key, &verdict);
                verdict
            }
            Err(error) => Verdict { taken: false, reason: error.to_string() },
        });
        (verdict.clone(), kernel)
    }
}
