//! Several projected ascent steps.

use core::borrow::BorrowMut;

use crate::guard::RestoreGuard;
use crate::half::{Half, HalfResult, Next, ask, halves, step_with};
use crate::setting::checked;
use crate::state::state_of_fields;
use crate::{Descent, GradientOracle, InvalidSetting, Loss, ParamSpace, Pass, Rule, StepError, StepResult};

/// A storage that can ascend again from where an ascent has led.
pub trait RepeatedAscent: ParamSpace {
    /// `eps = 0`.
    ///
    /// # Errors
    /// As [`ParamSpace::ascend`].
    fn reset(&mut self, eps: &mut Self::Grads) -> Result<(), Self::Error>;

    /// Adds the perturbation (eq. 2) with radius `rate` along `g` to `eps`, projects `eps` onto the ball of
    /// `rule`, and makes `w + eps`, which `perturbed` then shows. `norm` is that of `g`.
    ///
    /// # Errors
    /// As [`ParamSpace::ascend`].
    fn climb(
        &mut self,
        w: &mut Self::Params,
        g: &Self::Grads,
        rule: &Rule<Self::Scalar>,
        norm: &Self::Norm,
        rate: Self::Scalar,
        eps: &mut Self::Grads,
    ) -> Result<(), Self::Error>;
}

/// SAM with several iterations in the inner maximization (appendix C.6 of the paper): projected gradient
/// ascent.
///
/// ```text
/// eps = 0;   steps times:   eps = project(eps + rate * eps-hat(grad(w + eps)) / rho)
/// base step along           grad(w + eps)
/// ```
///
/// The projection is onto the ball `||T^-1 eps||_p <= rho`, for every `p`: see
/// [`project`](crate::formula::project) for its cost. The paper does not print its step length; with
/// `rate = rho` one step is [`Sam`](crate::Sam), bit for bit.
///
/// Cost: `steps + 1` gradients a step, one word a weight. Of the report, `norm` is the clean gradient's,
/// `perturbed` the loss at the last point.
///
/// ```
/// use sam_core::{MultiStepSam, Rule, Sgd, SliceSpace};
///
/// let mut sam = MultiStepSam::new(SliceSpace::new([0.0; 2]), Rule::l2(0.5), 3, 0.2, Sgd::new(0.1), [0.0; 2]);
/// let (mut w, mut g) = ([3.0f64, -4.0], [0.0; 2]);
/// sam.step_with(&mut w, &mut g, |w, g, _| g.copy_from_slice(w)).unwrap();
/// // Three steps of 0.2 would end outside: the last gradient is taken on the ball, 0.5 further out than w.
/// assert!((g[0] - 3.3).abs() < 1e-15);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MultiStepSam<S: RepeatedAscent, D, B> {
    /// The storage of the parameters.
    pub space: S,
    /// Radius and norm.
    pub rule: Rule<S::Scalar>,
    /// Ascent steps; the paper tries 1, 2, 3 and 5. 0 is the base optimizer.
    pub steps: usize,
    /// Length of an ascent step, in the units of `rho`.
    pub rate: S::Scalar,
    /// The base optimizer.
    pub base: D,
    /// A buffer as long as a gradient; what it holds does not matter.
    pub eps: B,
}

impl<S: RepeatedAscent, D, B> MultiStepSam<S, D, B> {
    /// `steps` ascent steps of length `rate`; `eps` is a buffer as long as a gradient.
    pub const fn new(
        space: S,
        rule: Rule<S::Scalar>,
        steps: usize,
        rate: S::Scalar,
        base: D,
        eps: B,
    ) -> Self {
        Self { space, rule, steps, rate, base, eps }
    }
}

impl<S, D, B> MultiStepSam<S, D, B>
where
    S: RepeatedAscent,
    D: Descent<S::Params, S::Grads>,
    B: BorrowMut<S::Grads>,
{
    /// Words of buffer that `weights` parameters need.
    pub const fn words(weights: usize) -> usize {
        weights
    }

    /// All hyper-parameters are in their ranges. Every step asks this first.
    ///
    /// # Errors
    /// [`InvalidSetting`] of the first that is not.
    pub fn check_settings(&self) -> Result<(), InvalidSetting> {
        self.rule.check_settings()?;
        InvalidSetting::non_negative("rate", self.rate)?;
        self.base.check_settings()
    }

    checked! {}

    /// One step on the parameters `w`; `g` is scratch space for the gradients.
    ///
    /// # Errors
    /// [`StepError`] says who failed. `w` and all state are then as before the step.
    pub fn step<O>(
        &mut self,
        w: &mut S::Params,
        g: &mut S::Grads,
        oracle: &mut O,
    ) -> StepResult<S, O::Loss, O::Error, D::Error>
    where
        O: GradientOracle<S::Params, S::Grads> + ?Sized,
    {
        self.check_settings().map_err(StepError::Setting)?;
        let (clean, norm) =
            self.space.clean_gradient(w, g, &self.rule, oracle).map_err(StepError::with_descent)?;
        let half = Half::new(&self.space, clean, norm);
        let mut next = self.open(w, g, half).map_err(StepError::with_oracle)?;
        loop {
            match next {
                Next::Done(step) => return Ok(step),
                Next::Gradient(half) => {
                    let perturbed = ask!(self, w, g, oracle, Pass::Perturbed);
                    next = self.finish(half, w, g, perturbed).map_err(StepError::with_oracle)?;
                }
            }
        }
    }

    /// First part of a step, as a value: `g` is the gradient at `w`, `clean` the loss there, or `()`. As
    /// [`Sam::begin`](crate::Sam::begin).
    ///
    /// # Errors
    /// [`StepError::Space`] or [`StepError::Descent`]; `w` and all state are then as before the step.
    pub fn begin<L: Loss>(
        &mut self,
        w: &mut S::Params,
        g: &mut S::Grads,
        clean: L,
    ) -> HalfResult<S, Next<L, S::Norm>, D::Error> {
        self.check_settings().map_err(StepError::Setting)?;
        let half = Half::measure(&mut self.space, &self.rule, w, g, clean).map_err(StepError::Space)?;
        self.open(w, g, half)
    }

    /// Goes on with a step: `g` is the gradient at [`MultiStepSam::perturbed`], `perturbed` the loss there. Asks for
    /// `steps` gradients in all.
    ///
    /// # Errors
    /// [`StepError::Space`] or [`StepError::Descent`]; `w` and all state are then as before the step.
    pub fn finish<L: Loss>(
        &mut self,
        half: Half<L, S::Norm>,
        w: &mut S::Params,
        g: &mut S::Grads,
        perturbed: L,
    ) -> HalfResult<S, Next<L, S::Norm>, D::Error> {
        let mut guard = RestoreGuard::new(&mut self.space, w);
        let outcome = half.outcome.after(&perturbed, guard.space.check(g).map_err(StepError::Space)?);
        if outcome.steps() && half.asked < self.steps {
            let norm = guard.space.dual_norm(guard.w, g, &self.rule).map_err(StepError::Space)?;
            let eps = self.eps.borrow_mut();
            guard.space.climb(guard.w, g, &self.rule, &norm, self.rate, eps).map_err(StepError::Space)?;
            guard.release();
            return Ok(Next::Gradient(Half { outcome, asked: half.asked.saturating_add(1), ..half }));
        }
        guard.restore().map_err(StepError::Space)?;
        if outcome.steps() {
            self.base.descend(guard.w, g).map_err(StepError::Descent)?;
        }
        Ok(Next::Done(half.end(Some(perturbed), outcome)))
    }

    halves! { Half<L, S::Norm> }

    /// The first climb, or down where there is none to make.
    fn open<L>(
        &mut self,
        w: &mut S::Params,
        g: &mut S::Grads,
        half: Half<L, S::Norm>,
    ) -> HalfResult<S, Next<L, S::Norm>, D::Error> {
        if !half.outcome.steps() {
            return Ok(half.over());
        }
        if self.steps == 0 {
            self.base.descend(w, g).map_err(StepError::Descent)?;
            return Ok(half.over());
        }
        let eps = self.eps.borrow_mut();
        self.space.reset(eps).map_err(StepError::Space)?;
        let mut guard = RestoreGuard::new(&mut self.space, w);
        guard.space.climb(guard.w, g, &self.rule, &half.norm, self.rate, eps).map_err(StepError::Space)?;
        guard.release();
        Ok(Next::Gradient(Half { asked: 1, ..half }))
    }

    step_with! { S::Grads, StepResult }
}

state_of_fields! {
    impl[T, S: RepeatedAscent, D: crate::State<T>, B] MultiStepSam<S, D, B> { base }
}

crate::descent::learning_rate_of_base! { impl[S: RepeatedAscent, B] MultiStepSam<S, D, B> }
