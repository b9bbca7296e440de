//! Hessian-vector products from gradients.

use super::HessianVector;
use crate::formula::{Ascent, dual_norm};
use crate::{BufferedError, GradientOracle, LengthMismatch, Loss, Pass, Ready, Real, Rule};

/// Makes any oracle over slices a [`HessianVector`] one, by central differences of its gradient:
///
/// ```text
/// H v  =  ||v|| / (2 d) * (grad(w + d v/||v||) - grad(w - d v/||v||))            d = step * max(1, ||w||)
/// ```
///
/// Cost: 2 gradients a product, two words a weight. The error is of order `d^2` and of the gradient's
/// rounding over `d`; the step that balances both is the cube root of the type's precision. The product is NaN where a
/// loss is not finite.
#[derive(Clone, Debug)]
#[non_exhaustive]
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

impl<O, T, B> FiniteDifference<O, T, B> {
    /// With a relative length of the move of one's own.
    pub const fn new(inner: O, step: T, buffers: [B; 2]) -> Self {
        Self { inner, step, buffers }
    }
}

impl<T: Real, O: GradientOracle<[T]>, B> GradientOracle<[T]> for FiniteDifference<O, T, B> {
    type Loss = O::Loss;
    type Error = BufferedError<O::Error>;

    fn gradient(&mut self, params: &[T], grads: &mut [T], pass: Pass) -> Result<O::Loss, Self::Error> {
        self.inner.gradient(params, grads, pass).map_err(BufferedError::Inner)
    }

    fn gradient_in_parts(
        &mut self,
        params: &[T],
        grads: &mut [T],
        pass: Pass,
        ready: &mut Ready<'_, [T]>,
    ) -> Result<O::Loss, Self::Error> {
        self.inner.gradient_in_parts(params, grads, pass, ready).map_err(BufferedError::Inner)
    }
}

impl<T, O, B> HessianVector<[T]> for FiniteDifference<O, T, B>
where
    T: Real,
    O: GradientOracle<[T]>,
    B: AsRef<[T]> + AsMut<[T]>,
{
    fn hessian_vector(&mut self, params: &[T], vector: &[T], out: &mut [T]) -> Result<(), Self::Error> {
        let [point, below] = &mut self.buffers;
        let (point, below) = (point.as_mut(), below.as_mut());
        for buffer in [&*point, &*below] {
            LengthMismatch::check("buffer for a finite difference", params.len(), buffer.len())
                .map_err(BufferedError::Buffer)?;
        }
        let euclidean = |v: &[T]| dual_norm(&Rule::l2(T::ONE), v, v);
        let size = euclidean(params).value();
        let distance = T::narrow(self.step.widen() * if size > 1.0 { size } else { 1.0 });
        let length = euclidean(vector);

        Ascent::new(&Rule::l2(-distance), &length).write(0, params, vector, point);
        let lower = self.inner.gradient(point, below, Pass::Perturbed).map_err(BufferedError::Inner)?;
        Ascent::new(&Rule::l2(distance), &length).write(0, params, vector, point);
        let upper = self.inner.gradient(point, out, Pass::Perturbed).map_err(BufferedError::Inner)?;
        if lower.is_non_finite() || upper.is_non_finite() {
            // A product has no loss of its own to say so with.
            out.iter_mut().for_each(|out| *out = T::narrow(f64::NAN));
            return Ok(());
        }
        let scale = T::narrow(length.value() / (2.0 * distance.widen()));
        out.iter_mut().zip(below.iter()).for_each(|(above, below)| *above = (*above - *below) * scale);
        Ok(())
    }
}
