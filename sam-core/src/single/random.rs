//! Random perturbations of fixed norm.

use super::{SingleStep, SingleStepResult, close, open};
use crate::guard::RestoreGuard;
use crate::half::{Half, HalfResult, ask, halves, step_with};
use crate::setting::checked;
use crate::state::state;
use crate::{Descent, GradientOracle, InvalidSetting, Loss, ParamSpace, Pass, Real, Rule, StepError, noise};

/// Perturbs in a random direction (appendix C.5 of the paper): `rho * z / ||z||_2` with `z ~ N(0, I)`, and
/// eq. 2 of such a `z` for other norms.
///
/// Cost: 1 gradient a step, no buffer. The numbers are a function of seed, step and the weight's index: a
/// resumed run draws the same ones.
///
/// ```
/// use sam_core::{Gaussian, RandomSam, Rule, Sgd, SliceSpace};
///
/// let mut sam = RandomSam::new(SliceSpace::new([0.0; 2]), Rule::l2(0.5), Gaussian::new(1), Sgd::new(0.1));
/// let (mut w, mut g) = ([3.0f64, -4.0], [0.0; 2]);
/// sam.step_with(&mut w, &mut g, |w, g, _| g.copy_from_slice(w)).unwrap();
/// assert!(((g[0] - 3.0).hypot(g[1] + 4.0) - 0.5).abs() < 1e-15); // half a unit away, in whichever direction
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RandomSam<S: ParamSpace, D> {
    /// The storage of the parameters.
    pub space: S,
    /// Radius and norm.
    pub rule: Rule<S::Scalar>,
    /// Where the directions come from.
    pub noise: Gaussian,
    /// The base optimizer.
    pub base: D,
}

impl<S: ParamSpace, D> RandomSam<S, D> {
    /// Puts the parts together.
    pub const fn new(space: S, rule: Rule<S::Scalar>, noise: Gaussian, base: D) -> Self {
        Self { space, rule, noise, base }
    }
}

/// A stream of normal numbers that is a function of seed, step and index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gaussian {
    /// Which stream.
    pub seed: u64,
    steps: u64,
}

impl Gaussian {
    /// From the first step on.
    pub const fn new(seed: u64) -> Self {
        Self { seed, steps: 0 }
    }

    /// This step's numbers.
    pub fn fill<T: Real>(&self, z: &mut [T]) {
        for (i, z) in z.iter_mut().enumerate() {
            *z = T::narrow(noise::normal(self.seed, self.steps, i as u64));
        }
    }

    pub(crate) fn advance(&mut self) {
        self.steps = self.steps.saturating_add(1);
    }
}

impl<T, S, D> RandomSam<S, D>
where
    T: Real,
    S: ParamSpace<Grads = [T], Scalar = T>,
    D: Descent<S::Params, [T]>,
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

    /// One step on the parameters `w`; `g` is scratch space.
    ///
    /// # Errors
    /// [`StepError`] says who failed. `w` and all state are then as before the step.
    pub fn step<O>(
        &mut self,
        w: &mut S::Params,
        g: &mut [T],
        oracle: &mut O,
    ) -> SingleStepResult<S, O::Loss, O::Error, D::Error>
    where
        O: GradientOracle<S::Params, [T]> + ?Sized,
    {
        self.check_settings().map_err(StepError::Setting)?;
        let half = self.begin(w, g).map_err(StepError::with_oracle)?;
        let loss = ask!(self, w, g, oracle, Pass::Clean);
        self.finish(half, w, g, loss).map_err(StepError::with_oracle)
    }

    /// First half of a step, as a value, before any gradient; `g` is scratch space. As [`Sam::begin`](crate::Sam::begin).
    ///
    /// # Errors
    /// [`StepError::Space`]; `w` is then restored.
    pub fn begin(&mut self, w: &mut S::Params, g: &mut [T]) -> HalfResult<S, Half<(), S::Norm>, D::Error> {
        self.check_settings().map_err(StepError::Setting)?;
        self.noise.fill(g);
        open(&mut self.space, &self.rule, w, g).map_err(StepError::Space)
    }

    /// Second half of a step: `g` is the gradient at [`RandomSam::perturbed`], of the clean pass, and `loss` the loss there, or
    /// `()`.
    ///
    /// # Errors
    /// [`StepError::Space`] or [`StepError::Descent`]; `w` and all state are then as before the step.
    pub fn finish<L: Loss>(
        &mut self,
        half: Half<(), S::Norm>,
        w: &mut S::Params,
        g: &mut [T],
        loss: L,
    ) -> HalfResult<S, SingleStep<L, S::Norm>, D::Error> {
        let guard = RestoreGuard::new(&mut self.space, w);
        let outcome = close(guard, g, half.outcome, &loss).map_err(StepError::Space)?;
        if outcome.steps() {
            self.base.descend(w, g).map_err(StepError::Descent)?;
            self.noise.advance();
        }
        Ok(SingleStep { loss, norm: half.norm, outcome })
    }

    halves! { Half<L, S::Norm> }

    step_with! { [T], SingleStepResult }
}

state! {
    impl[T] Gaussian {
        "random.steps": count(steps),
    }
}

crate::state::state_of_fields! {
    impl[T, S: ParamSpace, D: crate::State<T>] RandomSam<S, D> { noise, base }
}

crate::descent::learning_rate_of_base! { impl[S: ParamSpace] RandomSam<S, D> }
