//! The base optimizer by itself.

use super::SingleStep;
use crate::half::step_with;
use crate::setting::checked;
use crate::state::state_of_fields;
use crate::{Descent, GradientOracle, InvalidSetting, Outcome, ParamSpace, Pass, StepError};

/// The base optimizer without any perturbation, with the same checks and the same report as the other methods.
///
/// Also the driver for oracles whose gradients are SAM gradients already: m-sharpness is this over
/// [`MicroBatches`](crate::MicroBatches) of [`SamGradient`](crate::SamGradient). Cost: 1 gradient a step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plain<S, D> {
    /// The storage of the parameters.
    pub space: S,
    /// The base optimizer.
    pub base: D,
}

impl<S, D> Plain<S, D> {
    /// Puts the parts together.
    pub const fn new(space: S, base: D) -> Self {
        Self { space, base }
    }
}

/// Nothing was perturbed, so there is no norm.
pub type PlainResult<S, L, OE, DE> = Result<SingleStep<L, ()>, StepError<<S as ParamSpace>::Error, OE, DE>>;

impl<S: ParamSpace, D: Descent<S::Params, S::Grads>> Plain<S, D> {
    /// All hyper-parameters are in their ranges. Every step asks this first.
    ///
    /// # Errors
    /// [`InvalidSetting`] of the first that is not.
    pub fn check_settings(&self) -> Result<(), InvalidSetting> {
        self.base.check_settings()
    }

    checked! {}

    /// One step on the parameters `w`; `g` receives the gradient.
    ///
    /// # Errors
    /// [`StepError`] says who failed. `w` and all state are then as before the step.
    pub fn step<O>(
        &mut self,
        w: &mut S::Params,
        g: &mut S::Grads,
        oracle: &mut O,
    ) -> PlainResult<S, O::Loss, O::Error, D::Error>
    where
        O: GradientOracle<S::Params, S::Grads> + ?Sized,
    {
        self.check_settings().map_err(StepError::Setting)?;
        let loss = oracle.gradient(w, g, Pass::Clean).map_err(|e| StepError::Oracle(e, Pass::Clean))?;
        let outcome = Outcome::of_clean(&loss, self.space.check(g).map_err(StepError::Space)?);
        if outcome.steps() {
            self.base.descend(w, g).map_err(StepError::Descent)?;
        }
        Ok(SingleStep { loss, norm: (), outcome })
    }

    step_with! { S::Grads, PlainResult }
}

state_of_fields! {
    impl[T, S, D: crate::State<T>] Plain<S, D> { base }
}

crate::descent::learning_rate_of_base! { impl[S] Plain<S, D> }
