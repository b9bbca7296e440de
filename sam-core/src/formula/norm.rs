//! The dual norm, in a form that cannot overflow.

use core::ops::ControlFlow;

use super::accumulator::NormAccumulator;
use super::range::Range;
use crate::{Real, Rule, Verdict};

/// `||T g||_q` of a whole parameter vector.
///
/// Kept as `scale * scaled`, times a power of two that its range stands for, since the norm of finite entries can lie
/// beyond the largest number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DualNorm {
    pub(super) scale: f64,
    pub(super) scaled: f64,
    /// `(sum (x / scale)^q)^(1/p)`, what eq. 2 divides by.
    pub(super) divisor: f64,
    /// For `p = 1` the first entry with the largest `x`.
    pub(super) peak_at: usize,
    /// Of the products that scale and norm are made of.
    pub(super) range: Range,
}

impl DualNorm {
    /// The norm of a gradient with an entry that is infinite or NaN.
    pub const NON_FINITE: Self = Self::new(1.0, f64::INFINITY, f64::INFINITY);

    pub(super) const fn new(scale: f64, scaled: f64, divisor: f64) -> Self {
        Self { scale, scaled, divisor, peak_at: usize::MAX, range: Range::Ordinary }
    }

    #[cfg(feature = "norms")]
    pub(super) const fn at(self, peak_at: usize) -> Self {
        Self { peak_at, ..self }
    }

    pub(super) const fn within(self, range: Range) -> Self {
        Self { range, ..self }
    }

    /// The norm as a number; infinite if it is beyond the largest one, 0 if it is below the smallest.
    pub fn value(&self) -> f64 {
        let unit = self.range.unit();
        self.scale * self.scaled / unit / unit
    }

    /// What the norm says about the gradient. A norm too large or too small for [`DualNorm::value`] is still
    /// finite here.
    pub fn verdict(&self) -> Verdict {
        if !self.scaled.is_finite() {
            Verdict::NonFinite
        } else if self.scaled > 0.0 {
            Verdict::Finite
        } else {
            Verdict::Zero
        }
    }
}

/// The dual norm of parameters and gradient given as one pair of slices.
pub fn dual_norm<R: Real>(rule: &Rule<R>, w: &[R], g: &[R]) -> DualNorm {
    dual_norm_of(rule, || core::iter::once((w, g)))
}

/// The dual norm of parameters and gradient in parts: `pairs` gives them from the first on, as often as it is called. The bits are
/// those of the parts laid end to end. [`NormAccumulator`] is the general form.
pub fn dual_norm_of<'a, R: Real, I: Iterator<Item = (&'a [R], &'a [R])>>(
    rule: &Rule<R>,
    pairs: impl Fn() -> I,
) -> DualNorm {
    let mut accumulator = NormAccumulator::new(rule);
    loop {
        pairs().for_each(|(w, g)| accumulator.push(w, g));
        match accumulator.finish() {
            ControlFlow::Break(norm) => return norm,
            ControlFlow::Continue(next) => accumulator = next,
        }
    }
}
