//! WSAM, coupled and decoupled.

use core::borrow::BorrowMut;
use core::convert::Infallible;

use super::Combination;
use crate::{Descent, GradientAlgebra, InvalidSetting, LearningRate, Real, StepError, state::state};

/// Coupled WSAM (Yue et al., KDD 2023): loss plus sharpness times `gamma / (1 - gamma)`. With the clean
/// gradient `g` and the perturbed one `h`,
///
/// ```text
/// alpha * h + (1 - alpha) * g            alpha = gamma / (1 - gamma)
/// ```
///
/// Cost: 2 gradients a step, one word a weight. `gamma = 1/2` is SAM, bit for bit; 0 the base optimizer.
#[derive(Clone, Debug)]
pub struct Wsam<T, B> {
    /// Weight of sharpness, from 0 up to but not including 1; its paper uses 0.8 to 0.95.
    pub gamma: T,
    clean: B,
}

/// Decoupled WSAM: the base optimizer steps along the clean gradient `g`, and the sharpness term moves the
/// weights by itself, past the base optimizer's momentum and scaling:
///
/// ```text
/// base step along g, then   w = w - lr * alpha * (h - g)            alpha = gamma / (1 - gamma)
/// ```
///
/// `lr` is the base optimizer's of that step. Cost: as [`Wsam`].
#[derive(Clone, Debug)]
pub struct DecoupledWsam<T, B> {
    /// Weight of sharpness, from 0 up to but not including 1; its paper uses 0.8 to 0.95.
    pub gamma: T,
    clean: B,
}

impl<T: Real, B> Wsam<T, B> {
    /// The buffer is as long as a gradient; what it holds does not matter.
    pub const fn new(gamma: T, clean: B) -> Self {
        Self { gamma, clean }
    }

    /// Words of buffer that `weights` parameters need.
    pub const fn words(weights: usize) -> usize {
        weights
    }
}

impl<T: Real, B> DecoupledWsam<T, B> {
    /// The buffer is as long as a gradient; what it holds does not matter.
    pub const fn new(gamma: T, clean: B) -> Self {
        Self { gamma, clean }
    }

    /// Words of buffer that `weights` parameters need.
    pub const fn words(weights: usize) -> usize {
        weights
    }
}

fn weight<T: Real>(gamma: T) -> T {
    gamma / (T::ONE - gamma)
}

impl<T: Real, S, D, B> Combination<S, D> for Wsam<T, B>
where
    S: GradientAlgebra<Scalar = T>,
    D: Descent<S::Params, S::Grads>,
    B: BorrowMut<S::Grads>,
{
    fn keep(&mut self, space: &mut S, clean: &S::Grads) -> Result<(), S::Error> {
        space.copy(clean, self.clean.borrow_mut())
    }

    fn combine(&mut self, space: &mut S, g: &mut S::Grads) -> Result<(), S::Error> {
        let alpha = weight(self.gamma);
        if alpha == T::ONE {
            return Ok(());
        }
        space.mix(T::ONE - alpha, self.clean.borrow(), alpha, g)
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::below_one("gamma", self.gamma)
    }
}

impl<T: Real, S, D, B, G: ?Sized> Combination<S, D> for DecoupledWsam<T, B>
where
    S: GradientAlgebra<Scalar = T, Params = G, Grads = G>,
    D: Descent<G> + LearningRate<T>,
    B: BorrowMut<G>,
{
    fn keep(&mut self, space: &mut S, clean: &G) -> Result<(), S::Error> {
        space.copy(clean, self.clean.borrow_mut())
    }

    /// `g = h - g_clean`.
    fn combine(&mut self, space: &mut S, g: &mut G) -> Result<(), S::Error> {
        space.mix(-T::ONE, self.clean.borrow(), T::ONE, g)
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::below_one("gamma", self.gamma)
    }

    fn descend(
        &mut self,
        space: &mut S,
        base: &mut D,
        w: &mut G,
        sharpness: &mut G,
    ) -> Result<(), StepError<S::Error, Infallible, D::Error>> {
        let rate = base.learning_rate() * weight(self.gamma);
        base.descend(w, self.clean.borrow_mut()).map_err(StepError::Descent)?;
        if rate == T::ZERO {
            return Ok(());
        }
        space.mix(-rate, sharpness, T::ONE, w).map_err(StepError::Space)
    }
}

state! {
    impl[T, B] Wsam<T, B> {}
}

state! {
    impl[T, B] DecoupledWsam<T, B> {}
}
