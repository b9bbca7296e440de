//! Momentum SAM.

use core::ops::Neg;

use super::{SingleStep, SingleStepResult, close, open};
use crate::guard::RestoreGuard;
use crate::half::{Half, HalfResult, ask, halves, step_with};
use crate::setting::checked;
use crate::state::state_of_fields;
use crate::{Descent, GradientOracle, InvalidSetting, Loss, Momentum, ParamSpace, Pass, Rule, StepError};

/// Momentum SAM (Becker et al., 2024): perturbs along the base optimizer's momentum `v`, which costs no
/// gradient, in the direction that the next step will take.
///
/// ```text
/// base step along the gradient at   w - rho * v / ||v||         (eq. 2 of -v for other norms)
/// ```
///
/// Cost: 1 gradient a step, no buffer of its own. Before the first step `v = 0`: the step is the base
/// optimizer's. `w` holds the unperturbed parameters between steps. A momentum that is not finite ends the
/// step with [`Outcome::NonFinite`](crate::Outcome::NonFinite).
///
/// ```
/// use sam_core::{MomentumSam, Rule, Sgd, SliceSpace};
///
/// let base = Sgd::new(0.1).with_momentum(0.9, [0.0; 2]);
/// let mut sam = MomentumSam::new(SliceSpace::new([0.0; 2]), Rule::l2(0.5), base);
/// let (mut w, mut g) = ([3.0f64, -4.0], [0.0; 2]);
/// for _ in 0..2 {
///     sam.step_with(&mut w, &mut g, |w, g, _| g.copy_from_slice(w)).unwrap();
/// }
/// // The first step went to 4.5; the momentum points away from there, so the gradient was taken at 4.
/// assert!((g[0] - 2.4).abs() < 1e-15);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MomentumSam<S: ParamSpace, D> {
    /// The storage of the parameters.
    pub space: S,
    /// Radius and norm; its paper uses a `rho` of 1 to 3 for wide networks.
    pub rule: Rule<S::Scalar>,
    /// The base optimizer.
    pub base: D,
}

impl<S: ParamSpace, D> MomentumSam<S, D> {
    /// Puts the parts together.
    pub const fn new(space: S, rule: Rule<S::Scalar>, base: D) -> Self {
        Self { space, rule, base }
    }
}

impl<S, D> MomentumSam<S, D>
where
    S: ParamSpace,
    S::Scalar: Neg<Output = S::Scalar>,
    D: Descent<S::Params, S::Grads> + Momentum<S::Grads>,
{
    /// All hyper-parameters are in their ranges. Every step asks this first.
    ///
    /// # Errors
    /// [`InvalidSetting`] of the first that is not.
    pub fn check_settings(&self) -> Result<(), InvalidSetting> {
        self.rule.check_settings()?;
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
    ) -> SingleStepResult<S, O::Loss, O::Error, D::Error>
    where
        O: GradientOracle<S::Params, S::Grads> + ?Sized,
    {
        self.check_settings().map_err(StepError::Setting)?;
        let half = self.begin(w).map_err(StepError::with_oracle)?;
        let loss = ask!(self, w, g, oracle, Pass::Clean);
        self.finish(half, w, g, loss).map_err(StepError::with_oracle)
    }

    /// First half of a step, as a value, before any gradient. As [`Sam::begin`](crate::Sam::begin).
    ///
    /// # Errors
    /// [`StepError::Space`]; `w` is then restored.
    pub fn begin(&mut self, w: &mut S::Params) -> HalfResult<S, Half<(), S::Norm>, D::Error> {
        self.check_settings().map_err(StepError::Setting)?;
        let down = Rule { rho: -self.rule.rho, ..self.rule };
        open(&mut self.space, &down, w, self.base.momentum()).map_err(StepError::Space)
    }

    /// Second half of a step: `g` is the gradient at [`MomentumSam::perturbed`], of the clean pass, and `loss` the loss there, or
    /// `()`.
    ///
    /// # Errors
    /// [`StepError::Space`] or [`StepError::Descent`]; `w` and all state are then as before the step.
    pub fn finish<L: Loss>(
        &mut self,
        half: Half<(), S::Norm>,
        w: &mut S::Params,
        g: &mut S::Grads,
        loss: L,
    ) -> HalfResult<S, SingleStep<L, S::Norm>, D::Error> {
        let guard = RestoreGuard::new(&mut self.space, w);
        let outcome = close(guard, g, half.outcome, &loss).map_err(StepError::Space)?;
        if outcome.steps() {
            self.base.descend(w, g).map_err(StepError::Descent)?;
        }
        Ok(SingleStep { loss, norm: half.norm, outcome })
    }

    halves! { Half<L, S::Norm> }

    step_with! { S::Grads, SingleStepResult }
}

state_of_fields! {
    impl[T, S: ParamSpace, D: crate::State<T>] MomentumSam<S, D> { base }
}

crate::descent::learning_rate_of_base! { impl[S: ParamSpace] MomentumSam<S, D> }
