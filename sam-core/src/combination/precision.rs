//! The perturbed gradient for the step, the clean one for the precision.

use core::borrow::BorrowMut;
use core::convert::Infallible;

use super::Combination;
use crate::{GradientAlgebra, Precision, StepError, state::state};

/// The base optimizer descends along the perturbed gradient and learns its precision from the clean one: bSAM's use of the
/// two gradients, with [`Bayesian`](crate::Bayesian).
///
/// Cost: 2 gradients a step, one word a weight.
#[derive(Clone, Debug)]
pub struct PrecisionFromClean<B> {
    clean: B,
}

impl<B> PrecisionFromClean<B> {
    /// The buffer is as long as a gradient; what it holds does not matter.
    pub const fn new(clean: B) -> Self {
        Self { clean }
    }

    /// Words of buffer that `weights` parameters need.
    pub const fn words(weights: usize) -> usize {
        weights
    }
}

impl<S, D, B> Combination<S, D> for PrecisionFromClean<B>
where
    S: GradientAlgebra,
    D: Precision<S::Params, S::Grads>,
    B: BorrowMut<S::Grads>,
{
    fn keep(&mut self, space: &mut S, clean: &S::Grads) -> Result<(), S::Error> {
        space.copy(clean, self.clean.borrow_mut())
    }

    fn combine(&mut self, _: &mut S, _: &mut S::Grads) -> Result<(), S::Error> {
        Ok(())
    }

    fn descend(
        &mut self,
        _: &mut S,
        base: &mut D,
        w: &mut S::Params,
        g: &mut S::Grads,
    ) -> Result<(), StepError<S::Error, Infallible, D::Error>> {
        base.descend_apart(w, g, self.clean.borrow()).map_err(StepError::Descent)
    }
}

state! {
    impl[T, B] PrecisionFromClean<B> {}
}
