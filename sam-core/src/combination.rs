//! Uses of the two gradients: what the base optimizer descends along.

pub mod gsam;
pub mod precision;
pub mod wsam;

use core::convert::Infallible;

use crate::{Descent, InvalidSetting, ParamSpace, StepError, state::state};

/// A combination of the clean and the perturbed gradient.
pub trait Combination<S: ParamSpace, D: Descent<S::Params, S::Grads>> {
    /// Sees the clean gradient before the ascent and keeps what it needs of it, as scratch.
    ///
    /// # Errors
    /// The storage's.
    fn keep(&mut self, space: &mut S, clean: &S::Grads) -> Result<(), S::Error>;

    /// Turns `g`, the perturbed gradient, into what shall be checked and descended along.
    ///
    /// # Errors
    /// The storage's.
    fn combine(&mut self, space: &mut S, g: &mut S::Grads) -> Result<(), S::Error>;

    /// Steps, once `g` is known to be finite.
    ///
    /// # Errors
    /// The storage's or the base optimizer's.
    fn descend(
        &mut self,
        _space: &mut S,
        base: &mut D,
        w: &mut S::Params,
        g: &mut S::Grads,
    ) -> Result<(), StepError<S::Error, Infallible, D::Error>> {
        base.descend(w, g).map_err(StepError::Descent)
    }

    /// The hyper-parameters are in their ranges.
    ///
    /// # Errors
    /// [`InvalidSetting`] of the first that is not.
    fn check_settings(&self) -> Result<(), InvalidSetting> {
        Ok(())
    }
}

/// The perturbed gradient alone: SAM's (eq. 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a name for a rule without settings")]
pub struct PerturbedOnly;

impl<S: ParamSpace, D: Descent<S::Params, S::Grads>> Combination<S, D> for PerturbedOnly {
    fn keep(&mut self, _: &mut S, _: &S::Grads) -> Result<(), S::Error> {
        Ok(())
    }

    fn combine(&mut self, _: &mut S, _: &mut S::Grads) -> Result<(), S::Error> {
        Ok(())
    }
}

state! {
    impl[T] PerturbedOnly {}
}
