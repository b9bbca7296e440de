//! Products with the Hessian of networks of `ReLU` units.

use sam_core::FiniteDifference;

/// Distance of the two gradients, relative to the length of the weights.
///
/// A unit that switches between the two points adds its kink over the distance to the product, although almost everywhere
/// the second derivative has no part in it. The smaller the distance the fewer units do; rounding of the gradient in
/// double precision, 1e-16 of it over the distance, leaves eight digits here.
const STEP: f64 = 1e-8;

/// Makes an oracle in double precision one that has Hessian-vector products too, for so many weights.
pub fn differences<O>(inner: O, weights: usize) -> FiniteDifference<O, f64, Vec<f64>> {
    FiniteDifference { inner, step: STEP, buffers: [vec![0.0; weights], vec![0.0; weights]] }
}
