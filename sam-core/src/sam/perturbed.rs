//! The guard that holds parameters while they are perturbed.

use core::convert::Infallible;

use super::{Outcome, Sam};
use crate::{Descent, ParamSpace, Pass, StepError, Verdict};

/// Parameters at the perturbed point, between the two gradients of a step.
///
/// As long as it lives the original parameters cannot be reached, so nobody evaluates, saves or updates the perturbed
/// ones by mistake. Dropping it (an early return, a panic) puts the original ones back.
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
    pub(super) fn new(sam: &'a mut Sam<S, D>, w: &'a mut S::Params, g: &S::Grads) -> Result<Self, S::Error> {
        let norm = sam.space.dual_norm(w, g, &sam.rule)?;
        let outcome = match sam.space.verdict(&norm) {
            Verdict::Finite => Outcome::Descended,
            Verdict::Zero => Outcome::ZeroGradient,
            Verdict::NonFinite => Outcome::NonFinite(Pass::Clean),
            Verdict::Unknown => Outcome::Deferred,
        };
        // Held first: a failure half-way through the ascent restores too.
        let held = Held { space: &mut sam.space, w, changed: true };
        held.space.ascend(held.w, g, &sam.rule, &norm)?;
        Ok(Self { held, base: &mut sam.base, norm, outcome })
    }

    /// The perturbed parameters, where the second gradient is taken.
    pub fn params(&self) -> &S::Params {
        self.held.space.perturbed(self.held.w)
    }

    /// Dual norm of the clean gradient.
    pub fn norm(&self) -> &S::Norm {
        &self.norm
    }

    /// What the step comes to if the second gradient is fine. [`Outcome::NonFinite`] means that it is not worth
    /// computing one.
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
    /// [`Perturbed::params`]. If either gradient is not finite it only goes back.
    ///
    /// # Errors
    /// [`StepError::Space`] or [`StepError::Descent`].
    pub fn descend(mut self, g: &mut S::Grads) -> DescendResult<S, D::Error> {
        let verdict = self.held.space.check(g);
        self.held.restore().map_err(StepError::Space)?;
        let Self { held, base, norm, outcome } = self;
        let outcome = match (outcome, verdict.map_err(StepError::Space)?) {
            (Outcome::NonFinite(pass), _) => Outcome::NonFinite(pass),
            (_, Verdict::NonFinite) => Outcome::NonFinite(Pass::Perturbed),
            (_, Verdict::Unknown) => Outcome::Deferred,
            (outcome, Verdict::Finite | Verdict::Zero) => outcome,
        };
        if !matches!(outcome, Outcome::NonFinite(_)) {
            base.descend(held.w, g).map_err(StepError::Descent)?;
        }
        Ok(Descended { norm, outcome })
    }
}

/// Restores on drop, unless that is done.
struct Held<'a, S: ParamSpace> {
    space: &'a mut S,
    w: &'a mut S::Params,
    changed: bool,
}

impl<S: ParamSpace> Held<'_, S> {
    fn restore(&mut self) -> Result<(), S::Error> {
        self.space.restore(self.w)?;
        self.changed = false;
        Ok(())
    }
}

impl<S: ParamSpace> Drop for Held<'_, S> {
    fn drop(&mut self) {
        if self.changed {
            // A failure cannot be reported from here; who wants to know calls `Perturbed::restore`.
            let _ = self.space.restore(self.w);
        }
    }
}
