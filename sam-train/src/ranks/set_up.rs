//! Ranks that a run uses as its machine's settings say.

use std::rc::Rc;

use super::{Ranks, overlap::Background};

/// `ranks` with what they may do besides.
pub struct SetUp {
    /// The processes.
    pub ranks: Rc<dyn Ranks>,
    /// Whether they sum in the background, if they can.
    pub background: bool,
    /// Whether each keeps a part of a run's state.
    pub shard_state: bool,
}

impl Ranks for SetUp {
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
        self.shard_state
    }

    fn sum(&self, values: &mut [f32]) {
        self.ranks.sum(values);
    }

    fn reduce_scatter(&self, values: &[f32], part: usize, own: &mut [f32]) {
        self.ranks.reduce_scatter(values, part, own);
    }

    fn all_gather(&self, own: &[f32], part: usize, values: &mut [f32]) {
        self.ranks.all_gather(own, part, values);
    }

    fn background(&self) -> Option<&dyn Background> {
        self.ranks.background().filter(|_| self.background)
    }

    fn gather(&self, own: &[u8]) -> Vec<Vec<u8>> {
        self.ranks.gather(own)
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.ranks.broadcast(bytes)
    }
}
