//! Methods with one gradient a step: the perturbation does not need the clean gradient.

pub mod momentum;
pub mod plain;
pub mod random;

use crate::guard::RestoreGuard;
use crate::half::Half;
use crate::{Loss, Outcome, ParamSpace, Pass, Rule, StepError};

/// The report of a step with one gradient.
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "a step that came to nothing says so here, and nowhere else"]
#[non_exhaustive]
pub struct SingleStep<L, N> {
    /// Loss at the perturbed parameters.
    pub loss: L,
    /// Norm of the vector that the perturbation went along.
    pub norm: N,
    /// What became of the step. [`Outcome::ZeroGradient`]: there was nothing to perturb along.
    pub outcome: Outcome,
}

impl<L, N> SingleStep<L, N> {
    /// The report of a method of your own.
    pub const fn new(loss: L, norm: N, outcome: Outcome) -> Self {
        Self { loss, norm, outcome }
    }
}

/// What such a step returns.
pub type SingleStepResult<S, L, OE, DE> =
    Result<SingleStep<L, <S as ParamSpace>::Norm>, StepError<<S as ParamSpace>::Error, OE, DE>>;

/// Goes up along a direction whose norm is known, and leaves the parameters there.
fn open<S: ParamSpace>(
    space: &mut S,
    rule: &Rule<S::Scalar>,
    w: &mut S::Params,
    direction: &S::Grads,
) -> Result<Half<(), S::Norm>, S::Error> {
    let half = Half::measure(space, rule, w, direction, ())?;
    let mut guard = RestoreGuard::new(space, w);
    guard.ascend(direction, rule, &half.norm)?;
    guard.release();
    Ok(half)
}

/// Back from the perturbed point, and what the step comes to there.
///
/// The only look at the mini-batch is its clean pass: running statistics would never be updated otherwise.
fn close<S: ParamSpace, L: Loss>(
    mut guard: RestoreGuard<'_, S>,
    g: &S::Grads,
    direction: Outcome,
    loss: &L,
) -> Result<Outcome, S::Error> {
    guard.restore()?;
    Ok(match direction.after(loss, guard.space.check(g)?) {
        Outcome::NonFinite(_) => Outcome::NonFinite(Pass::Clean),
        outcome => outcome,
    })
}
