//! A step between its gradients, as a value.

use core::convert::Infallible;

use crate::guard::RestoreGuard;
use crate::{Descent, Loss, Outcome, ParamSpace, Rule, Step, StepError};

/// The first half of a step, for callers that own the loop and have no place for a closure or a guard: it borrows nothing, so it may
/// wait in a struct, a thread, a task or behind a C interface until the gradient at the perturbed parameters is there.
///
/// It belongs to the method that began it and to the parameters it was begun with: give it to that method's `finish` or
/// `cancel`. Until then a storage that perturbs in place holds perturbed parameters, and one that does not has them in its
/// second buffer; the method's `perturbed` shows them. To lose it is to leave them there.
#[must_use = "the parameters stay perturbed until `finish` or `cancel`"]
#[derive(Clone, Debug)]
pub struct Half<L, N> {
    pub(crate) clean: L,
    pub(crate) norm: N,
    pub(crate) outcome: Outcome,
    /// Perturbed gradients that were asked for.
    pub(crate) asked: usize,
}

/// What a step needs next.
///
/// Exhaustive on purpose: a loop that does not do what is asked for never ends the step.
#[must_use = "a step that asks for a gradient has not ended"]
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums, reason = "whoever leaves a case out leaves the parameters perturbed")]
pub enum Next<L, N> {
    /// The gradient at the method's `perturbed` parameters, and the loss there.
    Gradient(Half<L, N>),
    /// Nothing: this came of it.
    Done(Step<L, N>),
}

/// So that one loop serves methods whose second half always ends the step and methods whose does not.
impl<L, N> From<Step<L, N>> for Next<L, N> {
    fn from(step: Step<L, N>) -> Self {
        Self::Done(step)
    }
}

/// What a part of a step returns; no oracle takes part.
pub type HalfResult<S, T, DE> = Result<T, StepError<<S as ParamSpace>::Error, Infallible, DE>>;

impl<L, N> Half<L, N> {
    /// Loss at the parameters that the step started from.
    pub const fn clean(&self) -> &L {
        &self.clean
    }

    /// Dual norm of the clean gradient.
    pub const fn norm(&self) -> &N {
        &self.norm
    }

    /// What the step comes to if the gradients to come are fine.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    pub(crate) fn end(self, perturbed: Option<L>, outcome: Outcome) -> Step<L, N> {
        Step { clean: self.clean, perturbed, norm: self.norm, outcome }
    }

    /// After a step that came to nothing before it perturbed anything, or is over without it.
    pub(crate) fn over(self) -> Next<L, N> {
        let outcome = self.outcome;
        Next::Done(self.end(None, outcome))
    }
}

impl<L: Loss, N> Half<L, N> {
    /// Given the clean loss and the norm of its gradient.
    pub(crate) fn new<S: ParamSpace<Norm = N>>(space: &S, clean: L, norm: N) -> Self {
        let outcome = Outcome::of_clean(&clean, space.verdict(&norm));
        Self { clean, norm, outcome, asked: 0 }
    }

    /// Given the clean loss and its gradient, whose norm it takes.
    pub(crate) fn measure<S: ParamSpace<Norm = N>>(
        space: &mut S,
        rule: &Rule<S::Scalar>,
        w: &S::Params,
        g: &S::Grads,
        clean: L,
    ) -> Result<Self, S::Error> {
        let norm = space.dual_norm(w, g, rule)?;
        Ok(Self::new(space, clean, norm))
    }
}

/// Goes up along `g` and leaves the parameters there, unless the step has come to nothing.
pub(crate) fn open<S: ParamSpace, L>(
    space: &mut S,
    rule: &Rule<S::Scalar>,
    w: &mut S::Params,
    g: &S::Grads,
    half: Half<L, S::Norm>,
) -> Result<Next<L, S::Norm>, S::Error> {
    if !half.outcome.steps() {
        return Ok(half.over());
    }
    let mut guard = RestoreGuard::new(space, w);
    guard.ascend(g, rule, &half.norm)?;
    guard.release();
    Ok(Next::Gradient(half))
}

/// Back from `guard`, then down along `g` if the second gradient and its loss are fine. `clean` is what the step came to so
/// far.
pub(crate) fn close<S, D>(
    mut guard: RestoreGuard<'_, S>,
    base: &mut D,
    clean: Outcome,
    g: &mut S::Grads,
    perturbed: &impl Loss,
) -> HalfResult<S, Outcome, D::Error>
where
    S: ParamSpace,
    D: Descent<S::Params, S::Grads>,
{
    let verdict = guard.space.check(g);
    guard.restore().map_err(StepError::Space)?;
    let outcome = clean.after(perturbed, verdict.map_err(StepError::Space)?);
    if outcome.steps() {
        base.descend(guard.w, g).map_err(StepError::Descent)?;
    }
    Ok(outcome)
}

/// `perturbed` and `cancel` of a method with a `space`.
macro_rules! halves {
    ($half:ty) => {
        /// Where the gradient that a half waits for is taken; also the last such place after the step, where the storage
        /// has a second buffer.
        pub fn perturbed<'a>(&'a self, w: &'a S::Params) -> &'a S::Params {
            self.space.perturbed(w)
        }

        /// Gives a step up that was begun: puts the parameters back. No state has changed.
        ///
        /// # Errors
        /// The storage's, if it cannot restore.
        pub fn cancel<L>(&mut self, half: $half, w: &mut S::Params) -> Result<(), S::Error> {
            drop(half);
            self.space.restore(w)
        }
    };
}

/// `step_with` and `try_step_with` of a method with a `step`.
macro_rules! step_with {
    ($grads:ty, $result:ident) => {
        /// A step with a closure, whose argument types are then inferred: it overwrites its second argument with the gradient
        /// at its first, and returns the loss, or nothing.
        ///
        /// # Errors
        /// As `step`, but for the gradient, which cannot fail.
        pub fn step_with<L: $crate::Loss>(
            &mut self,
            w: &mut S::Params,
            g: &mut $grads,
            mut gradient: impl FnMut(&S::Params, &mut $grads, $crate::Pass) -> L,
        ) -> $result<S, L, core::convert::Infallible, D::Error> {
            self.try_step_with(w, g, |w, g, pass| Ok(gradient(w, g, pass)))
        }

        /// `step_with` for a closure that can fail.
        ///
        /// # Errors
        /// As `step`.
        pub fn try_step_with<L: $crate::Loss, E>(
            &mut self,
            w: &mut S::Params,
            g: &mut $grads,
            gradient: impl FnMut(&S::Params, &mut $grads, $crate::Pass) -> Result<L, E>,
        ) -> $result<S, L, E, D::Error> {
            self.step(w, g, &mut $crate::FnOracle(gradient))
        }
    };
}

/// Takes the gradient that a half waits for; where that fails the parameters come back.
macro_rules! ask {
    ($method:ident, $w:ident, $g:ident, $oracle:ident, $pass:expr) => {{
        let mut guard = crate::guard::RestoreGuard::new(&mut $method.space, $w);
        let loss =
            $oracle.gradient(guard.params(), $g, $pass).map_err(|e| crate::StepError::Oracle(e, $pass))?;
        guard.release();
        loss
    }};
}

pub(crate) use {ask, halves, step_with};
