//! The ascent of bSAM: noise first, then a step scaled by the posterior's variance.

use super::AscentRule;
use crate::state::state_of_fields;
use crate::{DirectedAscent, Gaussian, InvalidSetting, Precision, Real, Rule};

/// The ascent of bSAM (Möllenhoff and Khan, ICLR 2023), which replaces SAM's ball by a Gaussian posterior around `w` whose
/// precision `s` the base optimizer learns ([`Precision`]):
///
/// ```text
/// clean gradient g at      w + z / sqrt(samples * s)         z ~ N(0, I)
/// perturbed gradient at    w + rho * g / s
/// ```
///
/// The order is its authors' code's with one group of samples; the rule's norm is reported and does not scale the step. With
/// [`PrecisionFromClean`](crate::PrecisionFromClean) and
/// [`VariationalNewton`](crate::VariationalNewton) it is bSAM:
///
/// ```
/// use sam_core::{Bayesian, PrecisionFromClean, Rule, SliceSpace, Variant, VariationalNewton};
///
/// let base = VariationalNewton::new(0.05, [0.0; 2], [0.0; 2]).with_decay(1e-3).with_damping(0.1);
/// let mut bsam = Variant::new(
///     SliceSpace::new([0.0; 2]),
///     Rule::l2(0.05),
///     Bayesian::new(1000.0, 1),
///     PrecisionFromClean::new([0.0; 2]),
///     base,
/// );
/// let (mut w, mut g) = ([3.0f64, -2.0], [0.0; 2]);
/// for _ in 0..100 {
///     bsam.step_with(&mut w, &mut g, |w, g, _| g.copy_from_slice(w))?;
/// }
/// assert!(w[0].abs() < 0.5 && w[1].abs() < 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Cost: 2 gradients a step, no buffer of its own, a normal number a weight. A resumed run draws the same numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Bayesian<T> {
    /// Number of training samples, by which the posterior narrows.
    pub samples: T,
    /// Where the noise comes from.
    pub noise: Gaussian,
}

impl<T: Real> Bayesian<T> {
    /// From the first step on, with the given seed of the noise.
    pub const fn new(samples: T, seed: u64) -> Self {
        Self { samples, noise: Gaussian::new(seed) }
    }
}

impl<T, S, D> AscentRule<S, D> for Bayesian<T>
where
    T: Real,
    S: DirectedAscent<Grads = [T], Scalar = T>,
    D: Precision<S::Params, [T]>,
{
    fn scatters(&self) -> bool {
        true
    }

    fn scatter(&mut self, space: &mut S, w: &mut S::Params, g: &mut [T], base: &D) -> Result<(), S::Error> {
        self.noise.fill(g);
        g.iter_mut().zip(base.precision()).for_each(|(g, s)| *g = *g / (self.samples * *s).sqrt());
        space.displace(w, T::ONE, g)
    }

    fn ascend(
        &mut self,
        space: &mut S,
        w: &mut S::Params,
        g: &mut [T],
        rule: &Rule<T>,
        base: &D,
    ) -> Result<S::Norm, S::Error> {
        let norm = space.dual_norm(w, g, rule)?;
        g.iter_mut().zip(base.precision()).for_each(|(g, s)| *g = *g / *s);
        space.displace(w, rule.rho, g)?;
        Ok(norm)
    }

    fn commit(&mut self) {
        self.noise.advance();
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::positive("samples", self.samples)
    }
}

state_of_fields! {
    impl[T] Bayesian<T> { noise }
}
