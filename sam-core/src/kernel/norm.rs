//! The dual norm, in a form that cannot overflow.

use core::ops::ControlFlow;

use super::sweep::Sweep;
use crate::{Real, Rule, Verdict};

/// `||T g||_q` of a whole parameter vector.
///
/// Kept as `scale * scaled`, since the norm of finite entries can lie beyond the largest number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DualNorm {
    pub(super) scale: f64,
    pub(super) scaled: f64,
    /// `(sum (x / scale)^q)^(1/p)`, what eq. 2 divides by.
    pub(super) divisor: f64,
    /// For `p = 1` the first entry with the largest `x`.
    pub(super) peak_at: usize,
}

impl DualNorm {
    /// The norm of a gradient with an entry that is infinite or NaN.
    pub const NON_FINITE: Self = Self::new(1.0, f64::INFINITY, f64::INFINITY);

    pub(super) const fn new(scale: f64, scaled: f64, divisor: f64) -> Self {
        Self { scale, scaled, divisor, peak_at: usize::MAX }
    }

    pub(super) const fn at(self, peak_at: usize) -> Self {
        Self { peak_at, ..self }
    }

    /// The norm as a number; infinite if it is beyond the largest one.
    pub fn value(&self) -> f64 {
        self.scale * self.scaled
    }

    /// What the norm says about the gradient. A norm too large for [`DualNorm::value`] is still finite here.
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

/// The dual norm of parameters and gradient given as one pair of slices; [`Sweep`] is the general form.
pub fn dual_norm<R: Real>(rule: &Rule<R>, w: &[R], g: &[R]) -> DualNorm {
    let mut sweep = Sweep::new(rule);
    loop {
        sweep.push(w, g);
        match sweep.finish() {
            ControlFlow::Break(norm) => return norm,
            ControlFlow::Continue(next) => sweep = next,
        }
    }
}
