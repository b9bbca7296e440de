//! Methods with one gradient a step: the perturbation does not need the clean gradient.

pub mod momentum;
pub mod plain;
pub mod random;

use crate::held::Held;
use crate::sam::Evaluated;
use crate::{GradientOracle, Outcome, ParamSpace, Pass, StepError, Verdict};

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

/// The gradient at the perturbed point, with the parameters back where they were.
///
/// The only look at the mini-batch is its clean pass: running statistics would never be updated otherwise.
fn probe<S, O, DE>(
    mut held: Held<'_, S>,
    g: &mut S::Grads,
    oracle: &mut O,
    direction: Verdict,
) -> Evaluated<O::Loss, S::Error, O::Error, DE>
where
    S: ParamSpace,
    O: GradientOracle<S::Params, S::Grads> + ?Sized,
{
    let loss =
        oracle.gradient(held.params(), g, Pass::Clean).map_err(|e| StepError::Oracle(e, Pass::Clean))?;
    held.restore().map_err(StepError::Space)?;
    let outcome = match Outcome::of_clean(&(), direction)
        .after(&loss, held.space.check(g).map_err(StepError::Space)?)
    {
        Outcome::NonFinite(_) => Outcome::NonFinite(Pass::Clean),
        outcome => outcome,
    };
    Ok((loss, outcome))
}
