//! The step: gradient, ascent, gradient, descent.

mod perturbed;

pub use perturbed::{DescendResult, Descended, Perturbed};

use crate::guard::RestoreGuard;
use crate::half::{self, Half, HalfResult, Next, ask, halves, step_with};
use crate::setting::checked;
use crate::{Descent, GradientOracle, InvalidSetting, Loss, ParamSpace, Pass, Rule, StepError, Verdict};

/// Sharpness-Aware Minimization (algorithm 1 of the paper) around a base optimizer.
///
/// Cost of a step: two gradients, and what the storage and the base optimizer say of themselves.
///
/// ```
/// use sam_core::{Norm, Outcome, Rule, Sam, Sgd, SliceSpace};
///
/// let (mut w, mut g) = ([3.0f64, -4.0], [0.0; 2]);
/// let mut sam = Sam::new(SliceSpace::new([0.0; 2]), Rule::l2(0.5), Sgd::new(0.1));
/// // Half the square: the gradient is w, its length 5, and the second one is taken 0.5 further out.
/// let step = sam.step_with(&mut w, &mut g, |w, g, _pass| {
///     g.copy_from_slice(w);
///     0.5 * (w[0] * w[0] + w[1] * w[1])
/// })?;
/// assert_eq!((step.clean, step.norm.value(), step.outcome), (12.5, 5.0, Outcome::Descended));
/// assert!((w[0] - (3.0 - 0.1 * 3.3)).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sam<S: ParamSpace, D> {
    /// The storage of the parameters.
    pub space: S,
    /// Radius and norm; may be changed between steps.
    pub rule: Rule<S::Scalar>,
    /// The base optimizer; its learning rate may be changed between steps.
    pub base: D,
}

impl<S: ParamSpace, D> Sam<S, D> {
    /// SAM in this storage, within this ball, around this base optimizer.
    pub const fn new(space: S, rule: Rule<S::Scalar>, base: D) -> Self {
        Self { space, rule, base }
    }
}

/// What became of a step.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a step that came to nothing says so here, and nowhere else"]
#[non_exhaustive]
pub enum Outcome {
    /// An ordinary step.
    Descended,
    /// The clean gradient was zero: the perturbation was zero, and the base optimizer stepped as it would
    /// without SAM.
    ZeroGradient,
    /// The loss of this pass, or an entry of its gradient, was infinite or NaN. The parameters and the base optimizer's
    /// state are what they were before the step, bit for bit.
    NonFinite(Pass),
    /// The storage answers on its device, where it also acts on the answer.
    Deferred,
}

impl Outcome {
    /// After the clean pass.
    pub(crate) fn of_clean(loss: &impl Loss, verdict: Verdict) -> Self {
        if loss.is_non_finite() {
            return Self::NonFinite(Pass::Clean);
        }
        match verdict {
            Verdict::Finite => Self::Descended,
            Verdict::Zero => Self::ZeroGradient,
            Verdict::NonFinite => Self::NonFinite(Pass::Clean),
            Verdict::Unknown => Self::Deferred,
        }
    }

    /// After a perturbed pass too.
    pub(crate) fn after(self, loss: &impl Loss, gradient: Verdict) -> Self {
        match (self, gradient) {
            (Self::NonFinite(pass), _) => Self::NonFinite(pass),
            _ if loss.is_non_finite() => Self::NonFinite(Pass::Perturbed),
            (_, Verdict::NonFinite) => Self::NonFinite(Pass::Perturbed),
            (_, Verdict::Unknown) => Self::Deferred,
            (outcome, Verdict::Finite | Verdict::Zero) => outcome,
        }
    }

    /// Whether the step is known to have gone through: what goes with the weights (running statistics, counters) may keep
    /// what the step made of it. `false` for [`Outcome::Deferred`], whose device has to be asked.
    pub const fn moved(self) -> bool {
        matches!(self, Self::Descended | Self::ZeroGradient)
    }

    /// Whether the base optimizer steps.
    pub const fn steps(self) -> bool {
        !matches!(self, Self::NonFinite(_))
    }
}

/// The report of one step.
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "a step that came to nothing says so here, and nowhere else"]
#[non_exhaustive]
pub struct Step<L, N> {
    /// Loss at the parameters that the step started from.
    pub clean: L,
    /// Loss at the perturbed parameters; `None` if a non-finite clean loss or gradient ended the step before.
    pub perturbed: Option<L>,
    /// Dual norm of the clean gradient.
    pub norm: N,
    /// What became of the step.
    pub outcome: Outcome,
}

impl<L, N> Step<L, N> {
    /// The report of a method of your own.
    pub const fn new(clean: L, perturbed: Option<L>, norm: N, outcome: Outcome) -> Self {
        Self { clean, perturbed, norm, outcome }
    }
}

/// What a step returns: its report, or what ended it early.
pub type StepResult<S, L, OE, DE> =
    Result<Step<L, <S as ParamSpace>::Norm>, StepError<<S as ParamSpace>::Error, OE, DE>>;

impl<S: ParamSpace, D: Descent<S::Params, S::Grads>> Sam<S, D> {
    /// All hyper-parameters are in their ranges. Every step asks this first.
    ///
    /// # Errors
    /// [`InvalidSetting`] of the first that is not.
    pub fn check_settings(&self) -> Result<(), InvalidSetting> {
        self.rule.check_settings()?;
        self.base.check_settings()
    }

    checked! {}

    /// One step on the parameters `w`; `g` is scratch space for the gradients and holds the last one
    /// afterwards.
    ///
    /// # Errors
    /// [`StepError`] says who failed. `w` and the base optimizer's state are then as before the step.
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
        match half::open(&mut self.space, &self.rule, w, g, half).map_err(StepError::Space)? {
            Next::Done(step) => Ok(step),
            Next::Gradient(half) => {
                let perturbed = ask!(self, w, g, oracle, Pass::Perturbed);
                self.finish(half, w, g, perturbed).map_err(StepError::with_oracle)
            }
        }
    }

    /// First half of a step, as a value, for callers that compute the gradients themselves: `g` is the gradient at `w`, `clean` the
    /// loss there, or `()`. The bits are those of [`Sam::step`].
    ///
    /// ```
    /// use sam_core::{Next, Outcome, Rule, Sam, Sgd, SliceSpace};
    ///
    /// let mut sam = Sam::new(SliceSpace::new([0.0; 2]), Rule::l2(0.5), Sgd::new(0.1));
    /// let mut w = [3.0f64, -4.0];
    /// let mut g = w; // of half the square
    /// if let Next::Gradient(half) = sam.begin(&mut w, &g, 12.5)? {
    ///     // Here anything may happen: `half` borrows nothing.
    ///     g.copy_from_slice(sam.perturbed(&w));
    ///     let loss = 0.5 * (g[0] * g[0] + g[1] * g[1]);
    ///     let step = sam.finish(half, &mut w, &mut g, loss)?;
    ///     assert_eq!(step.outcome, Outcome::Descended);
    /// }
    /// assert!((w[0] - (3.0 - 0.1 * 3.3)).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StepError::Space`]; `w` is then restored.
    pub fn begin<L: Loss>(
        &mut self,
        w: &mut S::Params,
        g: &S::Grads,
        clean: L,
    ) -> HalfResult<S, Next<L, S::Norm>, D::Error> {
        self.check_settings().map_err(StepError::Setting)?;
        let half = Half::measure(&mut self.space, &self.rule, w, g, clean).map_err(StepError::Space)?;
        half::open(&mut self.space, &self.rule, w, g, half).map_err(StepError::Space)
    }

    /// Second half of a step: `g` is the gradient at [`Sam::perturbed`], `perturbed` the loss there.
    ///
    /// # Errors
    /// [`StepError::Space`] or [`StepError::Descent`]; `w` and the base optimizer's state are then as before the step.
    pub fn finish<L: Loss>(
        &mut self,
        half: Half<L, S::Norm>,
        w: &mut S::Params,
        g: &mut S::Grads,
        perturbed: L,
    ) -> HalfResult<S, Step<L, S::Norm>, D::Error> {
        let guard = RestoreGuard::new(&mut self.space, w);
        let outcome = half::close(guard, &mut self.base, half.outcome, g, &perturbed)?;
        Ok(half.end(Some(perturbed), outcome))
    }

    halves! { Half<L, S::Norm> }

    step_with! { S::Grads, StepResult }
}

impl<S: ParamSpace, D> Sam<S, D> {
    /// First half of a step, for callers that compute the second gradient themselves: goes up from `w` along the
    /// gradient `g` and lends the perturbed parameters out. Who has a loss that is not finite does not begin.
    ///
    /// # Errors
    /// The storage's; `w` is then restored.
    pub fn ascend<'a>(
        &'a mut self,
        w: &'a mut S::Params,
        g: &S::Grads,
    ) -> Result<Perturbed<'a, S, D>, S::Error> {
        let norm = self.space.dual_norm(w, g, &self.rule)?;
        Perturbed::new(self, w, g, norm)
    }
}

// SAM has no state of its own between steps.
crate::state::state_of_fields! {
    impl[T, S: ParamSpace, D: crate::State<T>] Sam<S, D> { base }
}

crate::descent::learning_rate_of_base! { impl[S: ParamSpace] Sam<S, D> }
