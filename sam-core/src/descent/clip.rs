//! Gradient clipping between the second gradient and the base step.

use super::{Momentum, learning_rate_of_base};
use crate::formula::{self, DualNorm};
use crate::{Descent, InvalidSetting, Real, Rule, state::state_of_fields};

/// Scales gradients whose Euclidean norm exceeds `max_norm` down to it, then lets the base optimizer step.
///
/// Clipping belongs here and not before the ascent, where the norm cancels out. No constant is added to the
/// norm, so a clipped gradient has norm `max_norm`. Traffic: 1 read, and where it clips 1 read and 1 write
/// more, a weight.
///
/// ```
/// use sam_core::{Clipped, Descent, Sgd};
///
/// let mut base = Clipped::new(Sgd::new(1.0), 1.0);
/// let mut w = [0.0f64; 2];
/// base.descend(&mut w, &mut [3.0, -4.0])?;
/// assert!((w[0] + 0.6).abs() < 1e-15 && (w[1] - 0.8).abs() < 1e-15);
/// # Ok::<(), sam_core::LengthMismatch>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Clipped<T, D> {
    /// The base optimizer.
    pub base: D,
    /// Largest norm that passes unchanged; the paper's code uses 5. Infinite: nothing is clipped, and no norm taken.
    pub max_norm: T,
}

impl<T, D> Clipped<T, D> {
    /// Clips at `max_norm` before `base`.
    pub const fn new(base: D, max_norm: T) -> Self {
        Self { base, max_norm }
    }
}

impl<T: Real, D> Clipped<T, D> {
    /// Scales `g` down as a gradient with the Euclidean norm `norm` is, for callers that know that norm: `g` may be a part of
    /// the gradient. The bits of all parts are those of [`Clipped::descend`] on the whole.
    pub fn clip(&self, g: &mut [T], norm: &DualNorm) {
        if norm.value() > self.max_norm.widen() {
            // The perturbation of radius `max_norm` along `g` is `g` scaled to that norm, overflow-safe.
            let scale = formula::Ascent::new(&Rule::l2(self.max_norm), norm);
            g.iter_mut().enumerate().for_each(|(i, g)| *g = scale.eps(i, *g, *g));
        }
    }
}

impl<T: Real, D: Descent<[T]>> Descent<[T]> for Clipped<T, D> {
    type Error = D::Error;

    /// # Errors
    /// The base optimizer's.
    fn descend(&mut self, w: &mut [T], g: &mut [T]) -> Result<(), D::Error> {
        if !self.max_norm.is_finite() {
            return self.base.descend(w, g);
        }
        let norm = formula::dual_norm(&Rule::l2(self.max_norm), g, g);
        self.clip(g, &norm);
        self.base.descend(w, g)
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::bound("max_norm", self.max_norm)?;
        self.base.check_settings()
    }
}

learning_rate_of_base! { impl[T] Clipped<T, D> }

impl<T, G: ?Sized, D: Momentum<G>> Momentum<G> for Clipped<T, D> {
    fn momentum(&self) -> &G {
        self.base.momentum()
    }
}

state_of_fields! {
    impl[T, D: crate::State<T>] Clipped<T, D> { base }
}
