//! Gradients by dual numbers, of the crate `num-dual`: forward-mode automatic differentiation.

use nalgebra::DVector;
use num_dual::{DualDVec64, gradient};
use sam_core::{GradientOracle, Pass};
use std::convert::Infallible;

/// The gradient of a function written for dual numbers.
///
/// Forward mode carries a derivative for every parameter through every operation: good for tens of parameters, and
/// for checking a gradient that somebody wrote by hand. Cost: one evaluation, each number of it as long as the
/// parameters.
#[derive(Clone, Copy, Debug)]
pub struct DualOracle<F>(pub F);

impl<F> GradientOracle<DVector<f64>> for DualOracle<F>
where
    F: Fn(DVector<DualDVec64>) -> DualDVec64,
{
    type Loss = f64;
    type Error = Infallible;

    fn gradient(&mut self, w: &DVector<f64>, g: &mut DVector<f64>, _: Pass) -> Result<f64, Infallible> {
        let loss;
        (loss, *g) = gradient(&self.0, w);
        Ok(loss)
    }
}
