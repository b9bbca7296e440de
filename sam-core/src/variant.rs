//! The step, with another way up and another use of the two gradients.

use crate::ascent::AscentRule;
use crate::combination::Combination;
use crate::guard::RestoreGuard;
use crate::half::{Half, HalfResult, Next, ask, halves, step_with};
use crate::setting::checked;
use crate::state::state_of_fields;
use crate::{
    Descent, GradientOracle, InvalidSetting, Loss, ParamSpace, Pass, Rule, Step, StepError, StepResult,
};

/// An ascent rule, a combination of the two gradients and a base optimizer, freely combined.
///
/// With [`AlongGradient`](crate::ascent::AlongGradient) and
/// [`PerturbedOnly`](crate::combination::PerturbedOnly) it is [`Sam`](crate::Sam), bit for bit. Friendly SAM
/// with GSAM's combination on top of Adam:
///
/// ```
/// use sam_core::{Adam, Friendly, Gsam, Rule, SliceSpace, Variant};
///
/// let mut sam = Variant::new(SliceSpace::new([0.0; 2]), Rule::l2(0.05), Friendly::new(1.0, 0.9, [0.0; 2], [0.0; 2]), Gsam::new(0.3, [0.0; 2]), Adam::new(0.01, [0.0; 2], [0.0; 2]));
/// let (mut w, mut g) = ([3.0f64, -2.0], [0.0; 2]);
/// for _ in 0..10 {
///     sam.step_with(&mut w, &mut g, |w, g, _| g.copy_from_slice(w)).unwrap();
/// }
/// assert!(w[0] < 2.92 && w[1] > -1.92);
/// ```
///
/// Cost: two gradients a step, and what the parts say of themselves. The promises of [`Sam`](crate::Sam)
/// hold: a loss or a gradient that is not finite, in either pass or after the combination, changes neither `w` nor any
/// state.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Variant<S: ParamSpace, A, C, D> {
    /// The storage of the parameters.
    pub space: S,
    /// Radius and norm; may be changed between steps.
    pub rule: Rule<S::Scalar>,
    /// The way up.
    pub ascent: A,
    /// What becomes of the two gradients.
    pub combination: C,
    /// The base optimizer.
    pub base: D,
}

impl<S: ParamSpace, A, C, D> Variant<S, A, C, D> {
    /// Puts the parts together.
    pub const fn new(space: S, rule: Rule<S::Scalar>, ascent: A, combination: C, base: D) -> Self {
        Self { space, rule, ascent, combination, base }
    }
}

impl<S, A, C, D> Variant<S, A, C, D>
where
    S: ParamSpace,
    A: AscentRule<S, D>,
    C: Combination<S, D>,
    D: Descent<S::Params, S::Grads>,
{
    /// All hyper-parameters are in their ranges. Every step asks this first.
    ///
    /// # Errors
    /// [`InvalidSetting`] of the first that is not.
    pub fn check_settings(&self) -> Result<(), InvalidSetting> {
        self.rule.check_settings()?;
        self.ascent.check_settings()?;
        self.combination.check_settings()?;
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
        let clean = if self.ascent.scatters() {
            self.scatter(w, g).map_err(StepError::with_oracle)?;
            ask!(self, w, g, oracle, Pass::Clean)
        } else {
            oracle.gradient(w, g, Pass::Clean).map_err(|e| StepError::Oracle(e, Pass::Clean))?
        };
        match self.begin(w, g, clean).map_err(StepError::with_oracle)? {
            Next::Done(step) => Ok(step),
            Next::Gradient(half) => {
                let perturbed = ask!(self, w, g, oracle, Pass::Perturbed);
                self.finish(half, w, g, perturbed).map_err(StepError::with_oracle)
            }
        }
    }

    /// What comes before the first half where the ascent rule scatters ([`AscentRule::scatters`]): moves to where the clean gradient
    /// is taken, which [`Variant::perturbed`] then shows; `g` is scratch space. [`Variant::begin`] moves back.
    ///
    /// # Errors
    /// [`StepError::Setting`], [`StepError::Space`]; `w` is then restored.
    pub fn scatter(&mut self, w: &mut S::Params, g: &mut S::Grads) -> HalfResult<S, (), D::Error> {
        self.check_settings().map_err(StepError::Setting)?;
        let mut guard = RestoreGuard::new(&mut self.space, w);
        self.ascent.scatter(guard.space, guard.w, g, &self.base).map_err(StepError::Space)?;
        guard.release();
        Ok(())
    }

    /// First half of a step, as a value: `g` is the gradient at `w`, or where [`Variant::scatter`] has moved to, which is scratch space afterwards, `clean` the loss
    /// there, or `()`. As [`Sam::begin`](crate::Sam::begin).
    ///
    /// # Errors
    /// [`StepError::Space`]; `w` is then restored.
    pub fn begin<L: Loss>(
        &mut self,
        w: &mut S::Params,
        g: &mut S::Grads,
        clean: L,
    ) -> HalfResult<S, Next<L, S::Norm>, D::Error> {
        if self.ascent.scatters() {
            self.space.restore(w).map_err(StepError::Space)?;
        }
        self.check_settings().map_err(StepError::Setting)?;
        self.combination.keep(&mut self.space, g).map_err(StepError::Space)?;
        let mut guard = RestoreGuard::new(&mut self.space, w);
        let ascended = self.ascent.ascend(guard.space, guard.w, g, &self.rule, &self.base);
        let norm = ascended.map_err(StepError::Space)?;
        let half = Half::new(guard.space, clean, norm);
        if !half.outcome.steps() {
            guard.restore().map_err(StepError::Space)?;
            return Ok(half.over());
        }
        guard.release();
        Ok(Next::Gradient(half))
    }

    /// Second half of a step: `g` is the gradient at [`Variant::perturbed`], `perturbed` the loss there.
    ///
    /// # Errors
    /// [`StepError::Space`] or [`StepError::Descent`]; `w` and all state are then as before the step.
    pub fn finish<L: Loss>(
        &mut self,
        half: Half<L, S::Norm>,
        w: &mut S::Params,
        g: &mut S::Grads,
        perturbed: L,
    ) -> HalfResult<S, Step<L, S::Norm>, D::Error> {
        let mut guard = RestoreGuard::new(&mut self.space, w);
        guard.restore().map_err(StepError::Space)?;
        self.combination.combine(guard.space, g).map_err(StepError::Space)?;
        let outcome = half.outcome.after(&perturbed, guard.space.check(g).map_err(StepError::Space)?);
        if outcome.steps() {
            self.combination.descend(guard.space, &mut self.base, guard.w, g)?;
            self.ascent.commit();
        }
        Ok(half.end(Some(perturbed), outcome))
    }

    halves! { Half<L, S::Norm> }

    step_with! { S::Grads, StepResult }
}

state_of_fields! {
    impl[T, S: ParamSpace, A: crate::State<T>, C: crate::State<T>, D: crate::State<T>] Variant<S, A, C, D> {
        ascent, combination, base
    }
}

crate::descent::learning_rate_of_base! { impl[S: ParamSpace, A, C] Variant<S, A, C, D> }
