//! The guard that holds parameters while they are perturbed.

use core::convert::Infallible;
use core::fmt;

use super::{Outcome, Sam};
use crate::guard::RestoreGuard;
use crate::half::{self, Half};
use crate::{Descent, ParamSpace, StepError};

/// Parameters at the perturbed point, between the two gradients of a step.
///
/// As long as it lives the original parameters cannot be reached, so nobody evaluates, saves or updates the
/// perturbed ones by mistake. Dropping it (an early return, a panic) puts the original ones back.
#[must_use = "the parameters stay perturbed until `descend`, `restore` or drop"]
pub struct Perturbed<'a, S: ParamSpace, D> {
    guard: RestoreGuard<'a, S>,
    base: &'a mut D,
    half: Half<(), S::Norm>,
}

/// What [`Perturbed::descend`] reports.
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "a step that came to nothing says so here, and nowhere else"]
#[non_exhaustive]
pub struct Descended<N> {
    /// Dual norm of the clean gradient.
    pub norm: N,
    /// What became of the step.
    pub outcome: Outcome,
}

/// What the second half of a step returns; the oracle has no part in it.
pub type DescendResult<S, DE> =
    Result<Descended<<S as ParamSpace>::Norm>, StepError<<S as ParamSpace>::Error, Infallible, DE>>;

/// Without the parameters, which may be many.
impl<S: ParamSpace<Norm: fmt::Debug>, D> fmt::Debug for Perturbed<'_, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Perturbed").field("half", &self.half).finish_non_exhaustive()
    }
}

impl<'a, S: ParamSpace, D> Perturbed<'a, S, D> {
    /// `norm` is that of the gradient `g`.
    pub(super) fn new(
        sam: &'a mut Sam<S, D>,
        w: &'a mut S::Params,
        g: &S::Grads,
        norm: S::Norm,
    ) -> Result<Self, S::Error> {
        let half = Half::new(&sam.space, (), norm);
        let mut guard = RestoreGuard::new(&mut sam.space, w);
        guard.ascend(g, &sam.rule, &half.norm)?;
        Ok(Self { guard, base: &mut sam.base, half })
    }

    /// The perturbed parameters, where the second gradient is taken.
    pub fn params(&self) -> &S::Params {
        self.guard.params()
    }

    /// Dual norm of the clean gradient.
    pub fn norm(&self) -> &S::Norm {
        &self.half.norm
    }

    /// What the step comes to if the second gradient is fine. [`Outcome::NonFinite`] means that it is not
    /// worth computing one.
    pub fn outcome(&self) -> Outcome {
        self.half.outcome
    }

    /// Gives the step up: puts the original parameters back.
    ///
    /// # Errors
    /// The storage's, if it cannot restore.
    pub fn restore(mut self) -> Result<S::Norm, S::Error> {
        self.guard.restore()?;
        Ok(self.half.norm)
    }
}

impl<S: ParamSpace, D: Descent<S::Params, S::Grads>> Perturbed<'_, S, D> {
    /// Second half of a step: back to the original parameters, then down along `g`, the gradient at
    /// [`Perturbed::params`]. If either gradient is not finite it only goes back; who has a loss that is not finite
    /// calls [`Perturbed::restore`] instead.
    ///
    /// # Errors
    /// [`StepError::Space`] or [`StepError::Descent`].
    pub fn descend(self, g: &mut S::Grads) -> DescendResult<S, D::Error> {
        let Self { guard, base, half } = self;
        let outcome = half::close(guard, base, half.outcome, g, &())?;
        Ok(Descended { norm: half.norm, outcome })
    }
}
