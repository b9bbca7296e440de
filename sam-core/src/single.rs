//! Methods with one gradient a step: the perturbation does not need the clean gradient.

pub mod momentum;
pub mod plain;
pub mod random;

use crate::half::Half;
use crate::held::Held;
use crate::{Loss, Outcome, ParamSpace, Pass, Rule, StepError};

/// The report of a step with one gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe<L, N> {
    /// Loss at the perturbed parameters.
    pub loss: L,
    /// Norm of the vector that the perturbation went along.
    pub norm: N,
    /// What became of the step. [`Outcome::ZeroGradient`]: there was nothing to perturb along.
    pub outcome: Outcome,
}

/// What such a step returns.
pub type ProbeResult<S, L, OE, DE> =
    Result<Probe<L, <S as ParamSpace>::Norm>, StepError<<S as ParamSpace>::Error, OE, DE>>;

/// Goes up along a direction whose norm is known, and leaves the parameters there.
fn open<S: ParamSpace>(
    space: &mut S,
    rule: &Rule<S::Scalar>,
    w: &mut S::Params,
    direction: &S::Grads,
) -> Result<Half<(), S::Norm>, S::Error> {
    let norm = space.dual_norm(w, direction, rule)?;
    let half = Half::new(space, (), norm);
    let mut held = Held::new(space, w);
    held.ascend(direction, rule, &half.norm)?;
    held.release();
    Ok(half)
}

/// Back from the perturbed point, and what the step comes to there.
///
/// The only look at the mini-batch is its clean pass: running statistics would never be updated otherwise.
fn close<S: ParamSpace, L: Loss>(
    mut held: Held<'_, S>,
    g: &S::Grads,
    direction: Outcome,
    loss: &L,
) -> Result<Outcome, S::Error> {
    held.restore()?;
    Ok(match direction.after(loss, held.space.check(g)?) {
        Outcome::NonFinite(_) => Outcome::NonFinite(Pass::Clean),
        outcome => outcome,
    })
}
