//! What instructions that touch memory say.

use super::Register;
use crate::alu::Ternary;
use crate::ast::Space;

/// A load or a store of one to four values.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Where.
    pub space: Space,
    /// Bytes of one value.
    pub bytes: u8,
    /// Number of values.
    pub count: u8,
    /// Whether loaded values are sign-extended.
    pub signed: bool,
    /// Bits of the registers that receive them.
    pub width: u8,
    /// Volatile, relaxed, acquire or release: ordered by itself, so that it is no race.
    pub strong: bool,
    /// Column of the address.
    pub base: Register,
    /// Added to the address.
    pub offset: i64,
    /// Columns of the values.
    pub values: [Register; 4],
}

/// An atomic read-modify-write.
#[derive(Debug, Clone)]
pub struct Atomic {
    /// Where.
    pub space: Space,
    /// Bytes of the value.
    pub bytes: u8,
    /// New value from the old one, `b` and `c`.
    pub f: Ternary,
    /// Receives the old value.
    pub d: Option<Register>,
    /// Column of the address.
    pub base: Register,
    /// Added to the address.
    pub offset: i64,
    /// Sources.
    pub b: Register,
    /// Second source of compare-and-swap.
    pub c: Register,
}
