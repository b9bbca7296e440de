//! The guard that holds parameters while they are perturbed.

use core::convert::Infallible;

use super::{Outcome, Sam};
use crate::held::Held;
use crate::{Descent, Loss, ParamSpace, StepError};

/// Parameters at the perturbed point, between the two gradients of a step.
///
/// As long as it lives the original parameters cannot be reached, so nobody evaluates, saves or updates the
/// perturbed ones by mistake. Dropping it (an early return, a panic) puts the original ones back.
#[must_use = "the parameters stay perturbed until `descend`, `restore` or drop"]
pub struct Perturbed<'a, S: ParamSpace, D> {
    held: Held<'a, S>,
    base: &'a mut D,
    norm: S::Norm,
    outcome: Outcome,
}

/// What [`Perturbed::descend`] reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descended<N> {
    /// Dual norm of the clean gradient.
    pub norm: N,
    /// What became of the step.
    pub outcome: Outcome,
}

/// What the second half of a step returns; the oracle has no part in it.
pub type DescendResult<S, DE> =
    Result<Descended<<S as ParamSpace>::Norm>, StepError<<S as ParamSpace>::Error, Infallible, DE>>;

impl<'a, S: ParamSpace, D> Perturbed<'a, S, D> {
    /// `norm` is that of the gradient `g`, `clean` the loss there.
    pub(super) fn new(
        sam: &'a mut Sam<S, D>,
        w: &'a mut S::Params,
        g: &S::Grads,
        norm: S::Norm,
        clean: &impl Loss,
    ) -> Result<Self, S::Error> {
        let outcome = Outcome::of_clean(clean, sam.space.verdict(&norm));
        let mut held = Held::new(&mut sam.space, w);
        held.ascend(g, &sam.rule, &norm)?;
        Ok(Self { held, base: &mut sam.base, norm, outcome })
    }

    /// The perturbed parameters, where the second gradient is taken.
    pub fn params(&self) -> &S::Params {
        self.held.params()
    }

    /// Dual norm of the clean gradient.
    pub fn norm(&self) -> &S::Norm {
        &self.norm
    }

    /// What the step comes to if the second gradient is fine. [`Outcome::NonFinite`] means that it is not
    /// worth computing one.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Gives the step up: puts the original parameters back.
    ///
    /// # Errors
    /// The storage's, if it cannot restore.
    pub fn restore(mut self) -> Result<S::Norm, S::Error> {
        self.held.restore()?;
        Ok(self.norm)
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
        self.descend_from(g, &())
    }

    /// [`Perturbed::descend`], with the loss at the perturbed parameters.
    pub(super) fn descend_from(mut self, g: &mut S::Grads, loss: &impl Loss) -> DescendResult<S, D::Error> {
        let verdict = self.held.space.check(g);
        self.held.restore().map_err(StepError::Space)?;
        let Self { held, base, norm, outcome } = self;
        let outcome = outcome.after(loss, verdict.map_err(StepError::Space)?);
        if outcome.steps() {
            base.descend(held.w, g).map_err(StepError::Descent)?;
        }
        Ok(Descended { norm, outcome })
    }
}
