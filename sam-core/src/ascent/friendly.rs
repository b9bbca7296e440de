//! Friendly SAM.

use core::borrow::BorrowMut;

use super::AscentRule;
use crate::{GradientAlgebra, InvalidSetting, Real, Rule, state::state};

/// Friendly SAM (Li et al., CVPR 2024): ascends along what is particular to the mini-batch, the gradient less
/// `sigma` times a running mean of gradients, which stands for the full-batch gradient.
///
/// ```text
/// d = g - sigma * m              m = lambda * m + (1 - lambda) * g          first step: d = g, m = g
/// ```
///
/// The order is its authors' code's. Cost: 2 gradients a step, two words a weight. `sigma = 0` is SAM, bit
/// for bit. The step's norm is that of `d`.
#[derive(Clone, Debug)]
pub struct Friendly<T, B> {
    /// Share of the mean that is taken out; its paper uses 1.
    pub sigma: T,
    /// Share of the mean that stays; its paper uses 0.9 and more.
    pub lambda: T,
    steps: u64,
    mean: B,
    /// The mean after this step, if it goes through.
    next: B,
}

impl<T: Real, B> Friendly<T, B> {
    /// Both buffers are as long as a gradient; what they hold does not matter.
    pub const fn new(sigma: T, lambda: T, mean: B, next: B) -> Self {
        Self { sigma, lambda, steps: 0, mean, next }
    }

    /// Both buffers, for a storage that saves and restores them itself. The first holds what outlives a step.
    pub const fn buffers_mut(&mut self) -> [&mut B; 2] {
        [&mut self.mean, &mut self.next]
    }

    /// Words of buffer that `weights` parameters need.
    pub const fn words(weights: usize) -> usize {
        2 * weights
    }
}

impl<T: Real, S, B, D> AscentRule<S, D> for Friendly<T, B>
where
    S: GradientAlgebra<Scalar = T>,
    B: BorrowMut<S::Grads>,
{
    fn ascend(
        &mut self,
        space: &mut S,
        w: &mut S::Params,
        g: &mut S::Grads,
        rule: &Rule<T>,
        _: &D,
    ) -> Result<S::Norm, S::Error> {
        let next = self.next.borrow_mut();
        space.copy(g, next)?;
        if self.steps > 0 {
            let mean = self.mean.borrow();
            space.mix(self.lambda, mean, T::ONE - self.lambda, next)?;
            if self.sigma != T::ZERO {
                space.mix(-self.sigma, mean, T::ONE, g)?;
            }
        }
        let norm = space.dual_norm(w, g, rule)?;
        space.ascend(w, g, rule, &norm)?;
        Ok(norm)
    }

    fn commit(&mut self) {
        core::mem::swap(&mut self.mean, &mut self.next);
        self.steps = self.steps.saturating_add(1);
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::non_negative("sigma", self.sigma)?;
        InvalidSetting::share("lambda", self.lambda)
    }
}

state! {
    impl[T, B: crate::StateBuffer<T>] Friendly<T, B> {
        "friendly.steps": count(steps),
        "friendly.mean": reals(mean),
    }
}
