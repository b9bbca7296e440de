//! Arithmetic on gradients of several tensors: what GSAM, LookSAM, WSAM and Friendly SAM need.

use super::{TensorMismatch, TensorSpace, Tensors};
use crate::{GradientAlgebra, Segment, formula, slice::mix};

impl<P: Tensors, L: AsRef<[Segment<P::Scalar>]>> GradientAlgebra for TensorSpace<P, L> {
    fn copy(&mut self, from: &P, to: &mut P) -> Result<(), TensorMismatch> {
        TensorMismatch::check(from, to)?;
        for (to, from) in to.tensors_mut().zip(from.tensors()) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        }
        Ok(())
    }

    fn mix(&mut self, a: P::Scalar, x: &P, b: P::Scalar, y: &mut P) -> Result<(), TensorMismatch> {
        TensorMismatch::check(x, y)?;
        y.tensors_mut().zip(x.tensors()).for_each(|(y, x)| mix(a, x, b, y));
        Ok(())
    }

    fn projection(&mut self, a: &P, b: &P) -> Result<P::Scalar, TensorMismatch> {
        TensorMismatch::check(a, b)?;
        Ok(formula::projection_of(|| a.tensors().zip(b.tensors())))
    }

    fn ratio(&mut self, a: &P, b: &P) -> Result<P::Scalar, TensorMismatch> {
        TensorMismatch::check(a, b)?;
        Ok(formula::ratio_of(|| a.tensors().zip(b.tensors())))
    }
}
