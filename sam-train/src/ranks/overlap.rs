//! Sums over ranks that go on while these compute.

#[cfg(doc)]
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
