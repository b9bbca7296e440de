//! Arithmetic on gradients, for the methods that combine several: GSAM, LookSAM, WSAM, Friendly SAM.

use sam_core::{GradientAlgebra, Real};

use super::{TensorError, TensorSpace, Tensors, same_shape};

/// Sums run in `f64`, in the order of the tensors; every entry is divided by the largest first.
impl<P: Tensors> GradientAlgebra for TensorSpace<P> {
    fn copy(&mut self, from: &P, to: &mut P) -> Result<(), TensorError> {
        same_shape(from, to)?;
        to.tensors_mut().zip(from.tensors()).for_each(|(to, from)| to.copy_from_slice(from));
        Ok(())
    }

    fn mix(&mut self, a: P::Scalar, x: &P, b: P::Scalar, y: &mut P) -> Result<(), TensorError> {
        same_shape(x, y)?;
        for (y, x) in y.tensors_mut().zip(x.tensors()) {
            y.iter_mut().zip(x).for_each(|(y, x)| *y = a * *x + b * *y);
        }
        Ok(())
    }

    fn projection(&mut self, a: &P, b: &P) -> Result<P::Scalar, TensorError> {
        same_shape(a, b)?;
        let (a_peak, b_peak) = (peak(a), peak(b));
        if a_peak == 0.0 || b_peak == 0.0 {
            // 0, or NaN.
            return Ok(P::Scalar::narrow(a_peak * b_peak));
        }
        let along = dot((a, a_peak), (b, b_peak)) / dot((b, b_peak), (b, b_peak));
        Ok(P::Scalar::narrow(along * (a_peak / b_peak)))
    }

    fn ratio(&mut self, a: &P, b: &P) -> Result<P::Scalar, TensorError> {
        let (a_peak, b_peak) = (peak(a), peak(b));
        if a_peak == 0.0 || b_peak == 0.0 {
            return Ok(P::Scalar::narrow(0.0));
        }
        let squares = dot((a, a_peak), (a, a_peak)) / dot((b, b_peak), (b, b_peak));
        Ok(P::Scalar::narrow(squares.sqrt() * (a_peak / b_peak)))
    }
}

/// The largest absolute value; NaN if an entry is infinite or NaN.
fn peak<P: Tensors>(g: &P) -> f64 {
    let size = |x: &P::Scalar| if x.is_finite() { x.widen().abs() } else { f64::NAN };
    g.tensors()
        .flatten()
        .map(size)
        .fold(0.0, |peak, size| if size.is_nan() || size > peak { size } else { peak })
}

/// `sum (a / a_peak) (b / b_peak)`.
fn dot<P: Tensors>((a, a_peak): (&P, f64), (b, b_peak): (&P, f64)) -> f64 {
    let pairs = a.tensors().flatten().zip(b.tensors().flatten());
    pairs.map(|(a, b)| (a.widen() / a_peak) * (b.widen() / b_peak)).sum()
}
