//! A run on several processes: what its ranks tell each other, whatever carries it.
//!
//! ```text
//! rank 0:  images of groups 0, 1 --> gradients --> (0 + 1) --.
//!                                                            +--> sum of all, the same bits on every rank
//! rank 1:  images of groups 2, 3 --> gradients --> (2 + 3) --'
//! ```
//!
//! A batch is cut into groups, as many as the run's settings say ([`groups::Share`]); the ranks, as many as there happen to
//! be, share them out. Sums go along one binary tree over the groups, wherever these are computed: 1, 2, 4 ranks end with
//! the same weights, bit for bit. [`Ranks`] is all that a way to carry messages must offer; the package `sam-mpi` does it
//! with MPI. Every rank makes the same calls in the same order, or all of them wait for ever.

pub mod agreement;
pub mod groups;
pub mod overlap;
pub mod set_up;
pub mod shards;
pub mod timed;
pub mod tree;

use std::rc::Rc;

use overlap::Background;

/// The processes of a run as one of them sees the others. Whatever fails in a message ends the process: no rank could
/// go on alone.
pub trait Ranks {
    /// Which of them this is, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// How many of them are on this machine, this one included: they share its cores.
    fn on_this_machine(&self) -> usize {
        self.size()
    }

    /// Which of those this is, from 0: they share its GPUs.
    fn place_on_this_machine(&self) -> usize {
        self.rank()
    }

    /// Replaces `values` by their sums over all ranks, element by element in the order of
    /// [`tree::add`]: `(0 + 1) + (2 + 3)` for four. All ranks get the same bits. `values` are equally many on all ranks,
    /// which are as many as a power of two.
    ///
    /// Cost: about twice the bytes of `values` a rank, sent and received.
    fn sum(&self, values: &mut [f32]);

    /// As [`Ranks::sum`], but this rank gets its part only: `values` are cut into parts of `part` entries, one for each rank, of which
    /// the last may be shorter or empty, and `own` is as long as that with this rank's number. The bits are those of the sum.
    ///
    /// Cost: half of that of [`Ranks::sum`], where it is not made of that as it is here.
    fn reduce_scatter(&self, values: &[f32], part: usize, own: &mut [f32]) {
        let mut sum = values.to_vec();
        self.sum(&mut sum);
        let begin = (self.rank() * part).min(values.len());
        own.copy_from_slice(&sum[begin..begin + own.len()]);
    }

    /// Makes `values`, on all ranks, what they have as their `own` parts, cut as in [`Ranks::reduce_scatter`].
    ///
    /// Cost: the bytes of `values` a rank, received, where it is not made of [`Ranks::gather`] as it is here.
    fn all_gather(&self, own: &[f32], part: usize, values: &mut [f32]) {
        debug_assert!(own.len() <= part, "{} of {part} entries", own.len());
        let own: Vec<u8> = own.iter().flat_map(|value| value.to_le_bytes()).collect();
        let all = self.gather(&own).concat();
        let words = all.as_chunks().0;
        values.iter_mut().zip(words).for_each(|(value, word)| *value = f32::from_le_bytes(*word));
    }

    /// Whether a run's state is kept in parts, one a rank, where its method allows it; all ranks say so or none.
    fn shard_state(&self) -> bool {
        false
    }

    /// Sums that go on while this rank computes, if whatever carries messages can do that; all ranks have them or none.
    fn background(&self) -> Option<&dyn Background> {
        None
    }

    /// The bytes of every rank, in their order. They may be of different lengths.
    fn gather(&self, own: &[u8]) -> Vec<Vec<u8>>;

    /// The first rank's bytes; those of the others are not looked at.
    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8>;
}

impl dyn Ranks + '_ {
    /// Whether it is the first: the one that writes files and speaks.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Whether there is no other.
    pub fn is_alone(&self) -> bool {
        self.size() == 1
    }
}

/// One process, and nobody to talk to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Alone;

impl Alone {
    /// As what is asked for.
    pub fn shared() -> Rc<dyn Ranks> {
        Rc::new(Self)
    }
}

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn sum(&self, _: &mut [f32]) {}

    fn gather(&self, own: &[u8]) -> Vec<Vec<u8>> {
        vec![own.to_vec()]
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}
