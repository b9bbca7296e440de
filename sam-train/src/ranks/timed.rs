//! Ranks that know how long they were at it.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use super::{Ranks, overlap::Background};

/// Ranks whose calls are timed: sending and adding up, and waiting for others that are late.
pub struct Timed {
    ranks: Rc<dyn Ranks>,
    spent: Cell<Duration>,
}

impl Timed {
    /// Those of `ranks`.
    pub fn new(ranks: Rc<dyn Ranks>) -> Self {
        Self { ranks, spent: Cell::default() }
    }

    /// The time in all calls so far.
    pub const fn spent(&self) -> Duration {
        self.spent.get()
    }

    fn timed<R>(&self, call: impl FnOnce() -> R) -> R {
        let started = Instant::now();
        let done = call();
        self.spent.set(self.spent.get() + started.elapsed());
        done
    }

    fn with_background(&self, call: impl FnOnce(&dyn Background)) {
        self.timed(|| {
            if let Some(background) = self.ranks.background() {
                call(background);
            }
        });
    }
}

impl Ranks for Timed {
    fn rank(&self) -> usize {
        self.ranks.rank()
    }

    fn size(&self) -> usize {
        self.ranks.size()
    }

    fn on_this_machine(&self) -> usize {
        self.ranks.on_this_machine()
    }

    fn place_on_this_machine(&self) -> usize {
        self.ranks.place_on_this_machine()
    }

    fn shard_state(&self) -> bool {
        self.ranks.shard_state()
    }

    fn sum(&self, values: &mut [f32]) {
        self.timed(|| self.ranks.sum(values));
    }

    fn reduce_scatter(&self, values: &[f32], part: usize, own: &mut [f32]) {
        self.timed(|| self.ranks.reduce_scatter(values, part, own));
    }

    fn all_gather(&self, own: &[f32], part: usize, values: &mut [f32]) {
        self.timed(|| self.ranks.all_gather(own, part, values));
    }

    fn background(&self) -> Option<&dyn Background> {
        self.ranks.background().map(|_| self as _)
    }

    fn gather(&self, own: &[u8]) -> Vec<Vec<u8>> {
        self.timed(|| self.ranks.gather(own))
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.timed(|| self.ranks.broadcast(bytes))
    }
}

/// Lent by [`Timed::background`] only where the ranks have sums in the background.
impl Background for Timed {
    fn begin(&self, values: &[f32]) {
        self.with_background(|background| background.begin(values));
    }

    fn begin_part(&self, values: &[f32], part: usize) {
        self.with_background(|background| background.begin_part(values, part));
    }

    fn proceed(&self) {
        self.with_background(|background| background.proceed());
    }

    fn end(&self, values: &mut [f32]) {
        self.with_background(|background| background.end(values));
    }
}
