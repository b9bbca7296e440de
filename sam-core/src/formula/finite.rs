//! Is there a NaN or an infinity in it?

use crate::Real;

/// Entries per piece: long enough to vectorise, short enough to stop soon after a bad one.
const PIECE: usize = 4096;

/// Whether every entry is finite. One read of `xs`.
pub fn all_finite<R: Real>(xs: &[R]) -> bool {
    // No early exit inside a piece: that would forbid vector instructions.
    xs.chunks(PIECE).all(|piece| piece.iter().fold(true, |ok, x| ok & x.is_finite()))
}
