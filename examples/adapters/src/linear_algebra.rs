//! Vectors of `nalgebra`, and a model of its matrices: logistic regression.

use nalgebra::{DMatrix, DVector};
use sam_core::Tensors;

/// A vector as parameters: neither the type nor the trait is this crate's, so a type of its own has to stand between.
#[derive(Clone, Debug)]
pub struct Vector(pub DVector<f64>);

impl Tensors for Vector {
    type Scalar = f64;

    fn tensors(&self) -> impl Iterator<Item = &[f64]> {
        std::iter::once(self.0.as_slice())
    }

    fn tensors_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        std::iter::once(self.0.as_mut_slice())
    }
}

/// Samples in rows and a target in {-1, 1} for each.
#[derive(Clone, Debug)]
pub struct LogisticRegression {
    /// One sample a row.
    pub samples: DMatrix<f64>,
    /// -1 or 1, one a sample.
    pub targets: DVector<f64>,
}

impl LogisticRegression {
    /// Mean of `ln(1 + exp(-y w.x))`; overwrites `gradient` with its gradient.
    pub fn loss(&self, w: &DVector<f64>, gradient: &mut DVector<f64>) -> f64 {
        let count = self.samples.nrows() as f64;
        let margins = (&self.samples * w).component_mul(&self.targets);
        // Of the loss by the margin: -1 / (1 + exp(m)).
        let slopes = margins.map(|m| -1.0 / (1.0 + m.exp()) / count).component_mul(&self.targets);
        self.samples.tr_mul_to(&slopes, gradient);
        margins.iter().map(|m| (-m).max(0.0) + (-m.abs()).exp().ln_1p()).sum::<f64>() / count
    }
}
