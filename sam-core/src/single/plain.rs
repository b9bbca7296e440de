//! The base optimizer by itself.

use super::SingleStep;
use crate::state::state_of_fields;
use crate::{Descent, FnOracle, GradientOracle, Loss, Outcome, ParamSpace, Pass, StepError};

/// The base optimizer without any perturbation, with the same checks and the same report as the other methods.
///
/// Also the driver for oracles whose gradients are SAM gradients already: m-sharpness is this over
/// [`MicroBatches`](crate::MicroBatches) of [`SamGradient`](crate::SamGradient). Cost: 1 gradient a step.
#[derive(Clone, Debug)]
pub struct Plain<S, D> {
    /// The storage of the parameters.
    pub space: S,
    /// The base optimizer.
    pub base: D,
}

/// Nothing was perturbed, so there is no norm.
pub type PlainResult<L, SE, OE, DE> = Result<SingleStep<L, ()>, StepError<SE, OE, DE>>;

impl<S: ParamSpace, D: Descent<S::Params, S::Grads>> Plain<S, D> {
    /// One step on the parameters `w`; `g` receives the gradient.
    ///
    /// # Errors
    /// [`StepError`] says who failed. `w` and all state are then as before the step.
    pub fn step<O>(
        &mut self,
        w: &mut S::Params,
        g: &mut S::Grads,
        oracle: &mut O,
    ) -> PlainResult<O::Loss, S::Error, O::Error, D::Error>
    where
        O: GradientOracle<S::Params, S::Grads> + ?Sized,
    {
        let loss = oracle.gradient(w, g, Pass::Clean).map_err(|e| StepError::Oracle(e, Pass::Clean))?;
        let outcome = Outcome::of_clean(&loss, self.space.check(g).map_err(StepError::Space)?);
        if outcome.steps() {
            self.base.descend(w, g).map_err(StepError::Descent)?;
        }
        Ok(SingleStep { loss, norm: (), outcome })
    }

    /// [`Plain::step`] with a closure, whose argument types are then inferred.
    ///
    /// # Errors
    /// As [`Plain::step`].
    pub fn step_with<L: Loss, E>(
        &mut self,
        w: &mut S::Params,
        g: &mut S::Grads,
        gradient: impl FnMut(&S::Params, &mut S::Grads, Pass) -> Result<L, E>,
    ) -> PlainResult<L, S::Error, E, D::Error> {
        self.step(w, g, &mut FnOracle(gradient))
    }
}

state_of_fields! {
    impl[T, S, D: crate::State<T>] Plain<S, D> { base }
}

crate::descent::learning_rate_of_base! { impl[S] Plain<S, D> }
