//! Perturbations of slices in a direction of the caller's making.

use super::SliceSpace;
use crate::{DirectedAscent, LengthMismatch, Real};

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> DirectedAscent for SliceSpace<T, B> {
    fn displace(&mut self, w: &mut [T], a: T, x: &[T]) -> Result<(), LengthMismatch> {
        self.check_lengths(w, x)?;
        displace(w, a, x, self.perturbed.as_mut());
        Ok(())
    }
}

/// Writes `w + a * x`.
pub(crate) fn displace<T: Real>(w: &[T], a: T, x: &[T], up: &mut [T]) {
    for (up, (w, x)) in up.iter_mut().zip(w.iter().zip(x)) {
        let eps = a * *x;
        // Not `w + 0`, which would turn -0 into 0.
        *up = if eps == T::ZERO { *w } else { *w + eps };
    }
}
