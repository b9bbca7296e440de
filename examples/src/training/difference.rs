//! Products with the Hessian of networks of `ReLU` units.

use sam_core::{BufferedError, FiniteDifference, GradientOracle, HessianVector, Pass};

/// Distance of the two gradients, relative to the length of the weights: rounding of the gradient in double precision,
/// 1e-16 of it over the distance, leaves eight digits.
const STEP: f64 = 1e-8;
/// How far products over two distances may be apart, as a share of the longest product so far.
const AGREEMENT: f64 = 1e-6;
/// What the distance is divided by where they are further apart.
const SHORTER: f64 = 3.0;
/// Distances at most.
const MOST_DISTANCES: usize = 5;

/// Makes an oracle in double precision one that has Hessian-vector products too, by central differences of its gradient.
///
/// A unit that switches between the two points adds its kink over the distance to the product, although almost everywhere
/// the second derivative has no part in it. Such a product depends on the distance: so each is taken over two distances,
/// and over shorter ones until two agree to a millionth; the last of five counts where none do.
///
/// Cost: four gradients a product, more where a unit switches; three words a weight.
pub struct Differences<O> {
    differences: FiniteDifference<O, f64, Vec<f64>>,
    other: Vec<f64>,
    largest: f64,
}

impl<O> Differences<O> {
    /// For so many weights.
    pub fn new(oracle: O, weights: usize) -> Self {
        let zeros = || vec![0.0; weights];
        let differences = FiniteDifference { inner: oracle, step: STEP, buffers: [zeros(), zeros()] };
        Self { differences, other: zeros(), largest: 0.0 }
    }

    /// The oracle inside.
    pub fn oracle(&mut self) -> &mut O {
        &mut self.differences.inner
    }
}

impl<O: GradientOracle<[f64]>> GradientOracle<[f64]> for Differences<O> {
    type Loss = O::Loss;
    type Error = BufferedError<O::Error>;

    fn gradient(&mut self, params: &[f64], grads: &mut [f64], pass: Pass) -> Result<O::Loss, Self::Error> {
        self.differences.gradient(params, grads, pass)
    }
}

impl<O: GradientOracle<[f64]>> HessianVector<[f64]> for Differences<O> {
    fn hessian_vector(&mut self, params: &[f64], vector: &[f64], out: &mut [f64]) -> Result<(), Self::Error> {
        let Self { differences, other, largest } = self;
        differences.step = STEP;
        differences.hessian_vector(params, vector, out)?;
        for _ in 1..MOST_DISTANCES {
            differences.step /= SHORTER;
            differences.hessian_vector(params, vector, other)?;
            let apart = length(out.iter().zip(other.iter()).map(|(a, b)| a - b));
            out.copy_from_slice(other);
            if apart <= AGREEMENT * largest.max(length(other.iter().copied())) {
                break;
            }
        }
        *largest = largest.max(length(out.iter().copied()));
        Ok(())
    }
}

fn length(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use sam_core::FnOracle;

    use super::*;

    /// `3 x^2 / 2 + max(x - kink, 0)`: the second derivative is 3 wherever there is one.
    #[test]
    fn a_kink_within_the_distance_does_not_count() {
        for kink in [1.0, 1.0 + 5e-9, 1.0 - 3e-9, 1.0 + 1e-3] {
            let oracle = FnOracle(|w: &[f64], g: &mut [f64], _| {
                g[0] = 3.0 * w[0] + f64::from(u8::from(w[0] > kink));
                Ok::<_, std::fmt::Error>(0.0)
            });
            let mut product = [0.0];
            Differences::new(oracle, 1).hessian_vector(&[1.0], &[2.0], &mut product).unwrap();
            if kink == 1.0 {
                // No distance leaves this one out.
                assert!(product[0] > 1e6, "{product:?}");
            } else {
                assert!((product[0] - 6.0).abs() < 1e-4, "{kink}: {product:?}");
            }
        }
    }
}
