//! Hessian-vector products from gradients.

use super::HessianVector;
use crate::kernel::{Ascent, dual_norm};
use crate::{GradientOracle, Pass, Real, Rule};

/// Makes any oracle over slices a [`HessianVector`] one, by central differences of its gradient:
///
/// ```text
/// H v  =  ||v|| / (2 d) * (grad(w + d v/||v||) - grad(w - d v/||v||))            d = step * max(1, ||w||)
/// ```
///
/// Cost: 2 gradients a product, two words a weight. The error is of order `d^2` and of the gradient's
/// rounding over `d`; the step that balances both is the cube root of the type's precision.
#[derive(Clone, Debug)]
pub struct FiniteDifference<O, T, B> {
    /// The oracle whose gradients are used.
    pub inner: O,
    /// Relative length of the move.
    pub step: T,
    /// Two buffers as long as the parameters; what they hold does not matter.
    pub buffers: [B; 2],
}

impl<O, B> FiniteDifference<O, f32, B> {
    /// With the step for `f32`, 5e-3.
    pub const fn single(inner: O, buffers: [B; 2]) -> Self {
        Self { inner, step: 5e-3, buffers }
    }
}

impl<O, B> FiniteDifference<O, f64, B> {
    /// With the step for `f64`, 6e-6.
    pub const fn double(inner: O, buffers: [B; 2]) -> Self {
        Self { inner, step: 6e-6, buffers }
    }
}

impl<T: Real, O: GradientOracle<[T]>, B> GradientOracle<[T]> for FiniteDifference<O, T, B> {
    type Loss = O::Loss;
    type Error = O::Error;

    fn gradient(&mut self, params: &[T], grads: &mut [T], pass: Pass) -> Result<O::Loss, O::Error> {
        self.inner.gradient(params, grads, pass)
    }
}

impl<T, O, B> HessianVector<[T]> for FiniteDifference<O, T, B>
where
    T: Real,
    O: GradientOracle<[T]>,
    B: AsRef<[T]> + AsMut<[T]>,
{
    fn hessian_vector(&mut self, params: &[T], vector: &[T], out: &mut [T]) -> Result<(), O::Error> {
        let [point, below] = &mut self.buffers;
        let (point, below) = (point.as_mut(), below.as_mut());
        let euclidean = |v: &[T]| dual_norm(&Rule::l2(T::ONE), v, v);
        let size = euclidean(params).value();
        let distance = T::narrow(self.step.widen() * if size > 1.0 { size } else { 1.0 });
        let length = euclidean(vector);

        Ascent::new(&Rule::l2(-distance), &length).write(0, params, vector, point);
        self.inner.gradient(point, below, Pass::Perturbed)?;
        Ascent::new(&Rule::l2(distance), &length).write(0, params, vector, point);
        self.inner.gradient(point, out, Pass::Perturbed)?;
        let scale = T::narrow(length.value() / (2.0 * distance.widen()));
        out.iter_mut().zip(below.iter()).for_each(|(above, below)| *above = (*above - *below) * scale);
        Ok(())
    }
}
