//! SAM's gradient with and without the term of second order at the same weights, and the training error that it sees (appendix C.4).

use sam_backend_ndarray::{Dual64, ForwardOverReverse};
use sam_core::{DifferentiableAscent, GradientOracle, HessianVector, ParamSpace, Pass, Rule, SliceSpace};

use super::model::Model;
use crate::training::learner::LearnerError;

/// The cosine of the angle between eq. 3 and the full gradient of `L(w + eps-hat(w))` on the images that `model` has
/// chosen. Products with the Hessian are exact.
///
/// # Errors
/// [`LearnerError`], the model's.
pub fn cosine_with_second_order(
    model: &mut Model<Dual64>,
    weights: &[Dual64],
    rule: &Rule<f64>,
) -> Result<f64, LearnerError> {
    let zeros = || vec![0.0; weights.len()];
    let mut oracle = ForwardOverReverse::new(model);
    let mut space = SliceSpace::new(zeros());
    let mut weights: Vec<f64> = weights.iter().map(|w| w.re).collect();
    let (mut clean, mut first, mut vector, mut product) = (zeros(), zeros(), zeros(), zeros());
    oracle.gradient(&weights, &mut clean, Pass::Clean).map_err(LearnerError::backend)?;
    let norm = space.dual_norm(&weights, &clean, rule).map_err(LearnerError::backend)?;
    space.ascend(&mut weights, &clean, rule, &norm).map_err(LearnerError::backend)?;
    let point = space.perturbed(&weights);
    oracle.gradient(point, &mut first, Pass::Perturbed).map_err(LearnerError::backend)?;
    let mut second = first.clone();
    let more = space.pull_back(&weights, &clean, rule, &norm, &mut second, &mut vector);
    if more.map_err(LearnerError::backend)? {
        oracle.hessian_vector(&weights, &vector, &mut product).map_err(LearnerError::backend)?;
        second.iter_mut().zip(&product).for_each(|(second, product)| *second += product);
    }
    Ok(cosine(&first, &second))
}

/// The share of the images that `model` has chosen which it classifies wrongly at `w + eps-hat(w)`, in percent: what the paper calls
/// the training error in appendix C.4.
///
/// # Errors
/// [`LearnerError`], the model's.
pub fn perturbed_error(
    model: &mut Model<f64>,
    weights: &[f64],
    rule: &Rule<f64>,
) -> Result<f64, LearnerError> {
    let mut space = SliceSpace::new(vec![0.0; weights.len()]);
    let (mut weights, mut gradient) = (weights.to_vec(), vec![0.0; weights.len()]);
    model.gradient(&weights, &mut gradient, Pass::Clean).map_err(LearnerError::backend)?;
    let norm = space.dual_norm(&weights, &gradient, rule).map_err(LearnerError::backend)?;
    space.ascend(&mut weights, &gradient, rule, &norm).map_err(LearnerError::backend)?;
    let point = space.perturbed(&weights);
    model.gradient(point, &mut gradient, Pass::Perturbed).map_err(LearnerError::backend)?;
    Ok(model.error())
}

/// NaN where a vector is zero.
fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
