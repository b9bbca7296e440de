//! What a kernel did wrong, and where.

use core::fmt;

/// A kernel's fault: the launch ends with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// Name of the kernel.
    pub kernel: String,
    /// Line in the PTX text.
    pub line: u32,
    /// Index of the block in the grid.
    pub block: [u32; 3],
    /// Index of the thread in the block.
    pub thread: [u32; 3],
    /// What exactly was found.
    pub detail: String,
}

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Memory that is not the kernel's, or was freed.
    OutOfBounds,
    /// An address that is not a multiple of the access's size.
    Misaligned,
    /// A read of global or shared memory that nobody wrote.
    Uninitialised,
    /// Two threads of a block, the same bytes, a write, no barrier between.
    Race,
    /// Threads that wait for others that never come: at a barrier of the block or of the warp.
    Divergence,
    /// A read of a parameter that the launch did not give.
    MissingParameter,
    /// The kernel executed `trap`.
    Trap,
    /// More instructions than the launch may take.
    Limit,
    /// A lane that is not among the members it names, a branch beyond its table: undefined in PTX.
    Undefined,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfBounds => "out-of-bounds access",
            Self::Misaligned => "misaligned access",
            Self::Uninitialised => "uninitialised read",
            Self::Race => "data race",
            Self::Divergence => "divergent barrier",
            Self::MissingParameter => "missing kernel parameter",
            Self::Trap => "trap",
            Self::Limit => "instruction limit",
            Self::Undefined => "undefined behaviour",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, kernel, line, block: [bx, by, bz], thread: [tx, ty, tz], detail } = self;
        write!(f, "{kind} in kernel {kernel}, PTX line {line}, ")?;
        write!(f, "block ({bx}, {by}, {bz}), thread ({tx}, {ty}, {tz}): {detail}")
    }
}

impl core::error::Error for Fault {}
