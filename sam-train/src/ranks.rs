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

    /// Replaces `values` by their sums over all ranks, element by element in the order of
    /// [`tree::add`]: `(0 + 1) + (2 + 3)` for four. All ranks get the same bits. `values` are equally many on all ranks,
    /// which are as many as a power of two.
    ///
    /// Cost: about twice the bytes of `values` a rank, sent and received.
    fn sum(&self, values: &mut [f32]);

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
