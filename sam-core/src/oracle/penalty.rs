//! `lambda ||w||^2` inside the ascent.

use crate::{GradientOracle, Pass, Real};

/// Adds `lambda * ||w||^2` to the loss, and `2 * lambda * w` to the gradient, in both passes: the
/// perturbation then climbs the penalty too, and the second gradient sees it at the perturbed point, as in
/// the paper's code.
///
/// Outside the ascent, as eq. 1 is written, the penalty is the base optimizer's
/// [`WeightDecay::Coupled`](crate::WeightDecay::Coupled) with `decay = 2 * lambda`.
///
/// ```
/// use sam_core::{FnOracle, GradientOracle, Pass, Penalty};
///
/// let nothing = FnOracle::infallible(|_: &[f64], g: &mut [f64], _| { g.fill(0.0); 0.0 });
/// let mut oracle = Penalty::new(nothing, 0.5);
/// let mut g = [0.0; 2];
/// assert_eq!(oracle.gradient(&[3.0, -4.0], &mut g, Pass::Clean), Ok(12.5));
/// assert_eq!(g, [3.0, -4.0]);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Penalty<T, O> {
    /// The oracle without penalty.
    pub inner: O,
    /// Weight of the squared length.
    pub lambda: T,
}

impl<T, O> Penalty<T, O> {
    /// Adds `lambda` times the squared length of the parameters.
    pub const fn new(inner: O, lambda: T) -> Self {
        Self { inner, lambda }
    }
}

impl<T: Real, O: GradientOracle<[T], Loss = T>> GradientOracle<[T]> for Penalty<T, O> {
    type Loss = T;
    type Error = O::Error;

    fn gradient(&mut self, w: &[T], g: &mut [T], pass: Pass) -> Result<T, O::Error> {
        let loss = self.inner.gradient(w, g, pass)?;
        let twice = self.lambda + self.lambda;
        g.iter_mut().zip(w).for_each(|(g, w)| *g += twice * *w);
        let square: f64 = w.iter().map(|w| w.widen() * w.widen()).sum();
        Ok(loss + T::narrow(self.lambda.widen() * square))
    }
}
