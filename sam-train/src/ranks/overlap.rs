//! Sums over ranks that go on while these compute.

use std::rc::Rc;

use super::Ranks;

/// [`Ranks::sum`] in two halves: between them a rank computes. Sums end in the order in which they were begun, and all ranks
/// begin and end the same ones in the same order. A sum that was begun is ended, whatever happens.
pub trait Background {
    /// Begins to sum up `values`, of which it keeps a copy, over all ranks.
    fn begin(&self, values: &[f32]);

    /// The same of a sum of which this rank gets its part only, as of [`Ranks::reduce_scatter`].
    fn begin_part(&self, values: &[f32], part: usize);

    /// Lets what was begun proceed, and waits for nothing. Called often: some transports move nothing by themselves.
    fn proceed(&self);

    /// Waits for the oldest sum that was begun, and writes it to `values`, as long as those that it was begun with, or as this rank's
    /// part of them. Its bits are those of [`Ranks::sum`].
    fn end(&self, values: &mut [f32]);
}

/// Ranks that do nothing but sum while they sum.
pub struct AtOnce(pub Rc<dyn Ranks>);

impl Ranks for AtOnce {
    fn rank(&self) -> usize {
        self.0.rank()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn on_this_machine(&self) -> usize {
        self.0.on_this_machine()
    }

    fn shard_state(&self) -> bool {
        self.0.shard_state()
    }

    fn sum(&self, values: &mut [f32]) {
        self.0.sum(values);
    }

    fn reduce_scatter(&self, values: &[f32], part: usize, own: &mut [f32]) {
        self.0.reduce_scatter(values, part, own);
    }

    fn all_gather(&self, own: &[f32], part: usize, values: &mut [f32]) {
        self.0.all_gather(own, part, values);
    }

    fn gather(&self, own: &[u8]) -> Vec<Vec<u8>> {
        self.0.gather(own)
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.0.broadcast(bytes)
    }
}
