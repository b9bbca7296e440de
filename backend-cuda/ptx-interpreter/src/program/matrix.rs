//! Products of small matrices, whose elements are spread over the lanes of a warp.

use super::Register;

/// `d = a b + c`, 16 rows and 8 columns.
#[derive(Debug, Clone)]
pub struct Multiply {
    /// What `a` and `b` are of.
    pub element: Element,
    /// Result.
    pub d: [Register; 4],
    /// 16 rows.
    pub a: [Register; 4],
    /// 8 columns.
    pub b: [Register; 2],
    /// What is added.
    pub c: [Register; 4],
}

/// Elements of the factors; sums are of `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// One in a register, of which the low 13 bits do not count: `m16n8k8`.
    Tf32,
    /// Two in a register: `m16n8k16`.
    Bf16,
}

impl Element {
    /// Columns of `a`, rows of `b`.
    pub const fn depth(self) -> usize {
        match self {
            Self::Tf32 => 8,
            Self::Bf16 => 16,
        }
    }
}
