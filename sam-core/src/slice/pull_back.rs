//! The derivative of the ascent in slices.

use super::SliceSpace;
use crate::formula::{self, DualNorm};
use crate::second_order::DifferentiableAscent;
use crate::{LengthMismatch, Real, Rule};

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> DifferentiableAscent for SliceSpace<T, B> {
    fn pull_back(
        &mut self,
        w: &[T],
        g: &[T],
        rule: &Rule<T>,
        norm: &DualNorm,
        h: &mut [T],
        vector: &mut [T],
    ) -> Result<bool, LengthMismatch> {
        LengthMismatch::check("gradient", w.len(), g.len())?;
        LengthMismatch::check("gradient", w.len(), h.len())?;
        LengthMismatch::check("gradient buffer", w.len(), vector.len())?;
        Ok(formula::pull_back(rule, norm, w, g, h, vector))
    }
}
