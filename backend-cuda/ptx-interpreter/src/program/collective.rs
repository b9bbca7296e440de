//! What instructions of many threads say.

use super::{Condition, Predicate, Register};

/// A barrier of the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Barrier {
    /// Which of the sixteen.
    pub id: Register,
    /// Threads that take part; all without it.
    pub threads: Option<Register>,
    /// Only announces arrival.
    pub arrive: bool,
    /// Reduces a predicate over the threads.
    pub reduce: Option<(Reduction, Condition)>,
}

/// Result of a barrier's reduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in PTX")]
pub enum Reduction {
    And(Predicate),
    Or(Predicate),
    Popc(Register),
}

/// Exchange between the lanes of a warp.
#[derive(Debug, Clone)]
pub struct Shuffle {
    /// Which lane a lane reads.
    pub mode: ShuffleMode,
    /// Result.
    pub d: Register,
    /// Set where the source lane was in range.
    pub p: Option<Predicate>,
    /// Value that the lane offers.
    pub a: Register,
    /// Lane or distance.
    pub b: Register,
    /// Segment mask and clamp.
    pub c: Register,
    /// Lanes that take part.
    pub members: Register,
}

/// See the PTX manual's `shfl.sync`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in PTX")]
pub enum ShuffleMode {
    Up,
    Down,
    Bfly,
    Idx,
}

/// Votes of a warp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in PTX")]
pub enum Vote {
    All,
    Any,
    Uni,
    Ballot,
}
