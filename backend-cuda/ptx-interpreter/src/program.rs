//! Kernels in the form that is executed: operands are numbers of columns, labels are positions.

mod collective;
mod matrix;
mod transfer;

pub use collective::{Barrier, Reduction, Shuffle, ShuffleMode, Vote};
pub use matrix::{Element, Multiply};
pub use transfer::{Atomic, Transfer};

use crate::alu::{Binary, Compare, Conversion, Ternary, Unary};
use crate::column::Lanes;

/// Number of a column in a warp's registers.
pub type Register = u16;
/// Number of a predicate register.
pub type Predicate = u16;

/// The predicate that no lane has.
pub const NEVER: Predicate = 0;
/// The predicate that `add.cc` and its like keep the carry in.
pub const CARRY: Predicate = 1;
/// The first predicate that a kernel's own registers get.
pub const FREE_PREDICATE: Predicate = 2;

/// A predicate or its opposite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// The register.
    pub predicate: Predicate,
    /// Whether the opposite is meant.
    pub negated: bool,
}

impl Condition {
    /// The condition that all lanes meet.
    pub const ALWAYS: Self = Self { predicate: NEVER, negated: true };
}

/// A kernel that can be launched.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// Name.
    pub name: String,
    /// Offset and size of each parameter.
    pub parameters: Vec<(usize, usize)>,
    /// Instructions; the last one is [`Op::Exit`].
    pub code: Vec<Instruction>,
    /// Columns that a warp needs.
    pub columns: usize,
    /// Predicates that a warp needs.
    pub predicates: usize,
    /// Columns that hold a constant.
    pub constants: Vec<(Register, u64)>,
    /// Columns that hold a special register.
    pub specials: Vec<(Register, Special)>,
    /// Bytes of shared memory that the kernel declares.
    pub shared: usize,
    /// Bytes of local memory for a thread.
    pub local: usize,
    /// Most threads that a block may have, where the kernel says so.
    pub max_threads: Option<u32>,
}

impl Kernel {
    /// Bytes of all parameters.
    pub fn parameter_bytes(&self) -> usize {
        self.parameters.last().map_or(0, |(offset, size)| offset + size)
    }
}

/// What a thread knows about itself; the number is the dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "named as in PTX")]
pub enum Special {
    Tid(u8),
    Ntid(u8),
    Ctaid(u8),
    Nctaid(u8),
    LaneId,
    WarpId,
    WarpCount,
    LaneMaskEq,
    LaneMaskLe,
    LaneMaskLt,
    LaneMaskGe,
    LaneMaskGt,
    Zero,
    /// Offset of dynamic shared memory.
    DynamicShared,
    DynamicSharedSize,
    TotalSharedSize,
}

/// An instruction and where it comes from.
#[derive(Debug, Clone)]
pub struct Instruction {
    /// What it does.
    pub op: Op,
    /// Which lanes do it.
    pub guard: Option<Condition>,
    /// Line in the PTX text.
    pub line: u32,
}

/// What an instruction does. `d` is the result's column, `a`, `b` and `c` those of the sources.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named above")]
pub enum Op {
    Nop,
    Move {
        d: Register,
        a: Register,
    },
    Unary {
        f: Unary,
        d: Register,
        a: Register,
    },
    Binary {
        f: Binary,
        d: Register,
        a: Register,
        b: Register,
    },
    Ternary {
        f: Ternary,
        d: Register,
        a: Register,
        b: Register,
        c: Register,
    },
    Convert {
        conversion: Conversion,
        width: u8,
        d: Register,
        a: Register,
        b: Register,
    },
    Lop3 {
        table: u8,
        d: Register,
        a: Register,
        b: Register,
        c: Register,
    },
    InsertBits {
        width: u8,
        d: Register,
        a: Register,
        b: Register,
        position: Register,
        length: Register,
    },
    Carry {
        operation: Carry,
        d: Register,
        a: Register,
        b: Register,
        c: Register,
    },
    Compare {
        f: Compare,
        a: Register,
        b: Register,
        with: Option<(Logic, Condition)>,
        p: Predicate,
        q: Option<Predicate>,
    },
    /// `set`: `yes` where the comparison holds, else zero.
    Set {
        f: Compare,
        yes: u64,
        d: Register,
        a: Register,
        b: Register,
    },
    Select {
        d: Register,
        a: Register,
        b: Register,
        p: Condition,
    },
    Logic {
        logic: Logic,
        d: Predicate,
        a: Condition,
        b: Condition,
    },
    /// Puts `count` values of `bits` bits together, low ones first.
    Pack {
        bits: u8,
        d: Register,
        from: Vec<Register>,
    },
    /// Takes them apart.
    Unpack {
        bits: u8,
        to: Vec<Option<Register>>,
        a: Register,
    },
    Load(Transfer),
    Store(Transfer),
    Atomic(Box<Atomic>),
    Branch {
        target: u32,
    },
    BranchTable {
        index: Register,
        targets: Box<[u32]>,
    },
    Barrier(Barrier),
    WarpBarrier {
        members: Register,
    },
    Shuffle(Box<Shuffle>),
    Multiply(Box<Multiply>),
    Vote {
        vote: Vote,
        d: Register,
        p: Predicate,
        a: Condition,
        members: Register,
    },
    Match {
        all: bool,
        wide: bool,
        d: Register,
        p: Option<Predicate>,
        a: Register,
        members: Register,
    },
    Reduce {
        f: Binary,
        d: Register,
        a: Register,
        members: Register,
    },
    ActiveMask {
        d: Register,
    },
    Clock {
        d: Register,
    },
    Exit,
    Trap,
}

/// Addition or subtraction in a chain of carries, perhaps of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carry {
    /// `a · b` first: its low or its high half.
    pub product: Option<Half>,
    /// `a - b` instead of a sum.
    pub subtract: bool,
    /// Takes the carry of the instruction before.
    pub carry_in: bool,
    /// Leaves a carry for the next one.
    pub carry_out: bool,
    /// Bits.
    pub width: u8,
    /// Whether products are signed.
    pub signed: bool,
}

/// Which half of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "what they say")]
pub enum Half {
    Low,
    High,
}

/// Logic of predicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "what they say")]
pub enum Logic {
    And,
    Or,
    Xor,
}

impl Logic {
    /// Applies it to sets of lanes.
    #[inline]
    pub fn apply(self, a: Lanes, b: Lanes) -> Lanes {
        match self {
            Self::And => a & b,
            Self::Or => a | b,
            Self::Xor => a ^ b,
        }
    }
}
