//! ESAM's stochastic weight perturbation.

use super::AscentRule;
use crate::{InvalidSetting, ParamSpace, Real, Rule, noise, state::state};

/// Stochastic weight perturbation (Du et al., ICLR 2022): each weight is perturbed with probability `beta`,
/// by `1/beta` times its part of `eps-hat`, whose expectation is thus SAM's.
///
/// Cost: 2 gradients a step, no buffer. A coin a weight, a function of seed, step and the weight's index: a
/// resumed run throws the same ones. `beta = 1` is SAM, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stochastic<T> {
    /// Probability, 0 to 1; its paper uses 0.5 and 0.6.
    pub beta: T,
    /// Seed of the coins.
    pub seed: u64,
    steps: u64,
}

impl<T: Real> Stochastic<T> {
    /// From the first step on.
    pub const fn new(beta: T, seed: u64) -> Self {
        Self { beta, seed, steps: 0 }
    }
}

impl<T: Real, S: ParamSpace<Grads = [T], Scalar = T>, D> AscentRule<S, D> for Stochastic<T> {
    fn ascend(
        &mut self,
        space: &mut S,
        w: &mut S::Params,
        g: &mut [T],
        rule: &Rule<T>,
        _: &D,
    ) -> Result<S::Norm, S::Error> {
        // The norm is the whole gradient's, so that what is perturbed is a part of eps-hat.
        let norm = space.dual_norm(w, g, rule)?;
        let (beta, seed, steps) = (self.beta.widen(), self.seed, self.steps);
        if beta < 1.0 {
            for (i, g) in g.iter_mut().enumerate() {
                if noise::uniform(seed, steps, i as u64) >= beta {
                    *g = T::ZERO;
                }
            }
        }
        let larger = if self.beta > T::ZERO { rule.rho / self.beta } else { T::ZERO };
        space.ascend(w, g, &Rule { rho: larger, ..*rule }, &norm)?;
        Ok(norm)
    }

    fn commit(&mut self) {
        self.steps = self.steps.saturating_add(1);
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::share("beta", self.beta)
    }
}

state! {
    impl[T] Stochastic<T> {
        "stochastic.steps": count(steps),
    }
}
