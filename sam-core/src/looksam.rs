//! LookSAM: the second gradient only every so often.

use core::borrow::BorrowMut;
use core::mem::swap;

use crate::guard::RestoreGuard;
use crate::half::{self, Half, HalfResult, Next, ask, halves, step_with};
use crate::setting::checked;
use crate::state::{state, state_of_fields};
use crate::{
    Descent, GradientAlgebra, GradientOracle, InvalidSetting, Loss, Outcome, Pass, Real, Rule, Step,
    StepError, StepResult,
};

/// LookSAM (Liu et al., CVPR 2022): a SAM step every `k` steps, which also keeps the part of the perturbed
/// gradient `h` that is orthogonal to the clean one `g`; the steps between add that part to the clean
/// gradient, at a share `alpha` of its length.
///
/// ```text
/// every k-th step, from the first on:   v = h - (h.g / g.g) g        base step along h
/// else:                                 base step along g + alpha * (||g|| / ||v||) v
/// ```
///
/// Norms are those of the whole gradient, as in the paper. Cost: 1 + 1/k gradients a step, two words a
/// weight. `k = 1` is [`Sam`](crate::Sam), bit for bit.
///
/// ```
/// use sam_core::{Adam, Reuse, LookSam, Rule, SliceSpace};
///
/// let mut sam = LookSam::new(SliceSpace::new([0.0; 2]), Rule::l2(0.05), Reuse::new(5, 0.7, [0.0; 2], [0.0; 2]), Adam::adamw(0.1, 0.01, [0.0; 2], [0.0; 2]));
/// let (mut w, mut g, mut gradients) = ([3.0f64, -2.0], [0.0; 2], 0);
/// for _ in 0..10 {
///     sam.step_with(&mut w, &mut g, |w, g, _| {
///         gradients += 1;
///         g.copy_from_slice(w)
///     }).unwrap();
/// }
/// assert_eq!(gradients, 12);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LookSam<S: GradientAlgebra, D, B> {
    /// The storage of the parameters.
    pub space: S,
    /// Radius and norm of the SAM steps.
    pub rule: Rule<S::Scalar>,
    /// How often, and what is kept between.
    pub reuse: Reuse<S::Scalar, B>,
    /// The base optimizer.
    pub base: D,
}

impl<S: GradientAlgebra, D, B> LookSam<S, D, B> {
    /// Puts the parts together.
    pub const fn new(space: S, rule: Rule<S::Scalar>, reuse: Reuse<S::Scalar, B>, base: D) -> Self {
        Self { space, rule, reuse, base }
    }
}

/// How often [`LookSam`] takes a second gradient, and what it keeps of it.
#[derive(Clone, Debug)]
pub struct Reuse<T, B> {
    /// Steps from one SAM step to the next; its paper uses 5 and 10. 0 counts as 1.
    pub k: u64,
    /// Share of the gradient's length that the kept part gets; its paper uses 0.5 to 1.
    pub alpha: T,
    /// Steps since the last SAM step, 0 if the next one is it.
    since: u64,
    sharpness: B,
    /// The clean gradient, then the next `sharpness` if the step goes through.
    next: B,
}

impl<T, B> Reuse<T, B> {
    /// Starts with a SAM step. Both buffers are as long as a gradient; what they hold does not matter.
    pub const fn new(k: u64, alpha: T, sharpness: B, next: B) -> Self {
        Self { k, alpha, since: 0, sharpness, next }
    }

    /// Whether the next step takes a second gradient.
    pub const fn is_due(&self) -> bool {
        self.since == 0
    }

    /// Both buffers, for a storage that saves and restores them itself. The first holds what outlives a step.
    pub const fn buffers_mut(&mut self) -> [&mut B; 2] {
        [&mut self.sharpness, &mut self.next]
    }

    /// Words of buffer that `weights` parameters need.
    pub const fn words(weights: usize) -> usize {
        2 * weights
    }

    fn advance(&mut self) {
        let next = self.since.saturating_add(1);
        self.since = if next >= self.k { 0 } else { next };
    }
}

impl<S, D, B> LookSam<S, D, B>
where
    S: GradientAlgebra,
    S::Scalar: Real,
    D: Descent<S::Params, S::Grads>,
    B: BorrowMut<S::Grads>,
{
    /// All hyper-parameters are in their ranges. Every step asks this first.
    ///
    /// # Errors
    /// [`InvalidSetting`] of the first that is not.
    pub fn check_settings(&self) -> Result<(), InvalidSetting> {
        self.rule.check_settings()?;
        InvalidSetting::non_negative("alpha", self.reuse.alpha)?;
        self.base.check_settings()
    }

    checked! {}

    /// One step on the parameters `w`; `g` is scratch space for the gradients. [`Step::perturbed`] tells
    /// whether it took a second gradient.
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
        match self.open(w, g, half).map_err(StepError::with_oracle)? {
            Next::Done(step) => Ok(step),
            Next::Gradient(half) => {
                let perturbed = ask!(self, w, g, oracle, Pass::Perturbed);
                self.finish(half, w, g, perturbed).map_err(StepError::with_oracle)
            }
        }
    }

    /// First half of a step, as a value: `g` is the gradient at `w`, `clean` the loss there, or `()`. A step between two
    /// SAM steps is done with it. As [`Sam::begin`](crate::Sam::begin).
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

    /// Second half of a SAM step: `g` is the gradient at [`LookSam::perturbed`], `perturbed` the loss there.
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
        let outcome = half.outcome.after(&perturbed, guard.space.check(g).map_err(StepError::Space)?);
        if outcome.steps() {
            if self.reuse.k > 1 {
                let next = self.reuse.next.borrow_mut();
                let along = guard.space.projection(g, next).map_err(StepError::Space)?;
                guard.space.mix(S::Scalar::ONE, g, -along, next).map_err(StepError::Space)?;
            }
            self.base.descend(guard.w, g).map_err(StepError::Descent)?;
            if self.reuse.k > 1 {
                swap(&mut self.reuse.sharpness, &mut self.reuse.next);
            }
            self.reuse.advance();
        }
        Ok(half.end(Some(perturbed), outcome))
    }

    halves! { Half<L, S::Norm> }

    /// Goes up, or down where the kept part serves.
    fn open<L>(
        &mut self,
        w: &mut S::Params,
        g: &mut S::Grads,
        half: Half<L, S::Norm>,
    ) -> HalfResult<S, Next<L, S::Norm>, D::Error> {
        if !half.outcome.steps() {
            return Ok(half.over());
        }
        if self.reuse.is_due() {
            if self.reuse.k > 1 {
                self.space.copy(g, self.reuse.next.borrow_mut()).map_err(StepError::Space)?;
            }
            return half::open(&mut self.space, &self.rule, w, g, half).map_err(StepError::Space);
        }
        let outcome = self.reuse(g, half.outcome).map_err(StepError::Space)?;
        if outcome.steps() {
            self.base.descend(w, g).map_err(StepError::Descent)?;
            self.reuse.advance();
        }
        Ok(Next::Done(half.end(None, outcome)))
    }

    step_with! { S::Grads, StepResult }

    /// The clean gradient with the kept part added.
    fn reuse(&mut self, g: &mut S::Grads, outcome: Outcome) -> Result<Outcome, S::Error> {
        let sharpness = self.reuse.sharpness.borrow();
        let length = self.space.ratio(g, sharpness)?;
        self.space.mix(self.reuse.alpha * length, sharpness, S::Scalar::ONE, g)?;
        Ok(match outcome.after(&(), self.space.check(g)?) {
            Outcome::NonFinite(_) => Outcome::NonFinite(Pass::Clean),
            outcome => outcome,
        })
    }
}

state! {
    impl[T, B: crate::StateBuffer<T>] Reuse<T, B> {
        "looksam.since": count(since),
        "looksam.sharpness": reals(sharpness),
    }
}

state_of_fields! {
    impl[T, S: GradientAlgebra<Scalar = T>, D: crate::State<T>, B: crate::StateBuffer<T>] LookSam<S, D, B> {
        reuse, base
    }
}

crate::descent::learning_rate_of_base! { impl[S: GradientAlgebra, B] LookSam<S, D, B> }
