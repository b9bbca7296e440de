//! Eigenvalues of a symmetric operator that is known by its products with vectors only (Lanczos 1950).

use nalgebra::{DMatrix, SymmetricEigen};
use sam_backend_ndarray::{Dual64, ForwardOverReverse};
use sam_core::HessianVector;

use super::model::Model;
use crate::training::learner::LearnerError;

/// The Hessian of a model's mean loss at fixed weights.
///
/// Products are derivatives of the gradient, exact up to rounding; a unit that switches nearby has no part in them.
pub struct Hessian<'a> {
    oracle: ForwardOverReverse<&'a mut Model<Dual64>>,
    weights: Vec<f64>,
}

impl<'a> Hessian<'a> {
    /// The Hessian at `weights` of the loss on the images that `model` has chosen.
    pub fn new(model: &'a mut Model<Dual64>, weights: &[Dual64]) -> Self {
        Self { oracle: ForwardOverReverse::new(model), weights: weights.iter().map(|w| w.re).collect() }
    }

    /// Overwrites `out` with the product with `vector`. Cost: a gradient in dual numbers.
    ///
    /// # Errors
    /// [`LearnerError`], the model's.
    pub fn product(&mut self, vector: &[f64], out: &mut [f64]) -> Result<(), LearnerError> {
        self.oracle.hessian_vector(&self.weights, vector, out).map_err(LearnerError::backend)
    }
}

/// Approximate eigenvalues, descending, each with its share of the start vector's squared length: a quadrature of the
/// spectral density as that vector sees it (Golub and Welsch 1969).
#[derive(Debug, Clone, PartialEq)]
pub struct Ritz {
    /// Eigenvalue and share.
    pub values: Vec<(f64, f64)>,
}

/// Runs `steps` steps of Lanczos' method, fewer where the space that `start` spans ends before, with full
/// reorthogonalisation: no eigenvalue comes up twice.
///
/// Cost: a product and `4 k` vector operations in step `k`; `steps` vectors of memory.
///
/// # Errors
/// `product`'s.
pub fn lanczos<E>(
    mut product: impl FnMut(&[f64], &mut [f64]) -> Result<(), E>,
    start: Vec<f64>,
    steps: usize,
) -> Result<Ritz, E> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let (mut alphas, mut betas) = (Vec::new(), Vec::new());
    let mut next = start;
    let mut scale: f64 = 0.0;
    for _ in 0..steps.min(next.len()) {
        let length = dot(&next, &next).sqrt();
        // What is left is rounding.
        if length <= 1e-10 * scale || length == 0.0 {
            break;
        }
        if !basis.is_empty() {
            betas.push(length);
        }
        next.iter_mut().for_each(|x| *x /= length);
        basis.push(next);
        let last = &basis[basis.len() - 1];
        next = vec![0.0; last.len()];
        product(last, &mut next)?;
        let alpha = dot(last, &next);
        alphas.push(alpha);
        scale = scale.max(dot(&next, &next).sqrt());
        // Twice is enough (Parlett 1998, 6.9).
        for _ in 0..2 {
            for vector in &basis {
                let share = dot(vector, &next);
                next.iter_mut().zip(vector).for_each(|(next, x)| *next -= share * x);
            }
        }
    }
    let size = alphas.len();
    let tridiagonal = DMatrix::from_fn(size, size, |i, j| match i.abs_diff(j) {
        0 => alphas[i],
        1 => betas[i.min(j)],
        _ => 0.0,
    });
    let eigen = SymmetricEigen::new(tridiagonal);
    let share = |i: usize| eigen.eigenvectors[(0, i)].powi(2);
    let mut values: Vec<(f64, f64)> = (0..size).map(|i| (eigen.eigenvalues[i], share(i))).collect();
    values.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(Ritz { values })
}

impl Ritz {
    /// The eigenvalue number `rank`, from 1 for the largest; NaN if there are not so many.
    pub fn eigenvalue(&self, rank: usize) -> f64 {
        self.values.get(rank.wrapping_sub(1)).map_or(f64::NAN, |value| value.0)
    }
}

/// The spectral density at `at`: the mean over `probes` of their quadratures, each eigenvalue widened to a normal
/// distribution of deviation `width` (Ghorbani, Krishnan and Xiao, ICML 2019).
pub fn density(probes: &[Ritz], at: f64, width: f64) -> f64 {
    let normal = |value: f64| (-0.5 * ((at - value) / width).powi(2)).exp();
    let of = |probe: &Ritz| probe.values.iter().map(|&(value, share)| share * normal(value)).sum::<f64>();
    let sum: f64 = probes.iter().map(of).sum();
    sum / (probes.len() as f64 * width * (2.0 * std::f64::consts::PI).sqrt())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn symmetric(size: usize, entries: &[f64]) -> DMatrix<f64> {
        DMatrix::from_fn(size, size, |i, j| entries[i.max(j) * size + i.min(j)])
    }

    proptest! {
        #[test]
        fn as_many_steps_as_dimensions_give_the_spectrum(entries in prop::collection::vec(-1.0..1.0_f64, 36)) {
            let matrix = symmetric(6, &entries);
            let product = |x: &[f64], out: &mut [f64]| {
                let y = &matrix * nalgebra::DVector::from_column_slice(x);
                out.copy_from_slice(y.as_slice());
                Ok::<_, Infallible>(())
            };
            let ritz = lanczos(product, vec![0.3, -1.0, 0.7, 0.2, 0.9, -0.4], 6).unwrap();
            let mut expected: Vec<f64> = SymmetricEigen::new(matrix.clone()).eigenvalues.iter().copied().collect();
            expected.sort_by(|a, b| b.total_cmp(a));
            prop_assert_eq!(ritz.values.len(), 6);
            for (found, expected) in ritz.values.iter().zip(expected) {
                prop_assert!((found.0 - expected).abs() < 1e-9);
            }
            prop_assert!((ritz.values.iter().map(|value| value.1).sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    /// The quadrature of a known spectrum: shares of equal eigenvalues add up to how often they occur.
    #[test]
    fn the_density_of_a_known_spectrum_has_its_mass_where_it_is() {
        let spectrum: Vec<f64> = (0..400).map(|i| if i < 100 { 2.0 } else { 0.0 }).collect();
        let product = |x: &[f64], out: &mut [f64]| {
            out.iter_mut().zip(x.iter().zip(&spectrum)).for_each(|(out, (x, a))| *out = a * x);
            Ok::<_, Infallible>(())
        };
        let start = (0..400).map(|i| if (i * 7919) % 13 < 6 { 1.0 } else { -1.0 }).collect();
        let ritz = lanczos(product, start, 10).unwrap();
        assert_eq!(ritz.values.len(), 2, "two eigenvalues span two dimensions: {ritz:?}");
        let at_two =
            density(std::slice::from_ref(&ritz), 2.0, 0.01) * 0.01 * (2.0 * std::f64::consts::PI).sqrt();
        assert!((at_two - 0.25).abs() < 1e-9, "{at_two}");
    }

    #[test]
    fn the_largest_of_many_eigenvalues_converges_first() {
        let spectrum: Vec<f64> =
            (0..1000).map(|i| (f64::from(i) / 1000.0).powi(3)).chain([5.0, 4.0, 3.0]).collect();
        let product = |x: &[f64], out: &mut [f64]| {
            out.iter_mut().zip(x.iter().zip(&spectrum)).for_each(|(out, (x, a))| *out = a * x);
            Ok::<_, Infallible>(())
        };
        let ritz = lanczos(product, vec![1.0; 1003], 30).unwrap();
        for (rank, expected) in [(1, 5.0), (2, 4.0), (3, 3.0)] {
            assert!((ritz.eigenvalue(rank) - expected).abs() < 1e-9, "{rank}: {}", ritz.eigenvalue(rank));
        }
    }
}
