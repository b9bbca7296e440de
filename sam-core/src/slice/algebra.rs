//! Arithmetic on gradients in slices.

use super::SliceSpace;
use crate::{GradientAlgebra, LengthMismatch, Real, Segment, SegmentedSpace, formula};

/// For a space whose gradients are slices, however it perturbs.
macro_rules! algebra_of_slices {
    (impl[$($bound:tt)*] $space:ty) => {
        impl<T: Real, B: AsRef<[T]> + AsMut<[T]>, $($bound)*> GradientAlgebra for $space {
            fn copy(&mut self, from: &[T], to: &mut [T]) -> Result<(), LengthMismatch> {
                LengthMismatch::check("gradient buffer", from.len(), to.len())?;
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                Ok(())
            }

            fn mix(&mut self, a: T, x: &[T], b: T, y: &mut [T]) -> Result<(), LengthMismatch> {
                LengthMismatch::check("gradient buffer", x.len(), y.len())?;
                mix(a, x, b, y);
                Ok(())
            }

            fn projection(&mut self, a: &[T], b: &[T]) -> Result<T, LengthMismatch> {
                LengthMismatch::check("gradient buffer", a.len(), b.len())?;
                Ok(formula::projection(a, b))
            }

            fn ratio(&mut self, a: &[T], b: &[T]) -> Result<T, LengthMismatch> {
                LengthMismatch::check("gradient buffer", a.len(), b.len())?;
                Ok(formula::ratio(a, b))
            }
        }
    };
}

algebra_of_slices! { impl[] SliceSpace<T, B> }
algebra_of_slices! { impl[L: AsRef<[Segment<T>]>] SegmentedSpace<T, B, L> }

/// `y = a * x + b * y`.
pub(crate) fn mix<T: Real>(a: T, x: &[T], b: T, y: &mut [T]) {
    if b == T::ONE {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = a * *x + *y);
    } else {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = a * *x + b * *y);
    }
}
