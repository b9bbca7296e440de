//! Arrays of `ndarray` as storage for `sam-core`.

use core::fmt;
use ndarray::{Array, Dimension};
use sam_core::{
    Descent, LengthMismatch, ParamSpace, Real, Rule, Verdict,
    formula::{self, DualNorm},
};

/// [`ParamSpace`] for callers that keep parameters and gradients in an [`Array`] of any shape.
///
/// The perturbed parameters go into an array of the space's own: the parameters are never touched by the ascent. Memory
/// and traffic are those of [`SliceSpace`](sam_core::SliceSpace). Arrays must lie in standard (row-major) order, as new ones do.
///
/// ```
/// use ndarray::{Array2, array};
/// use sam_backend_ndarray::{ArraySpace, OnArrays};
/// use sam_core::{Rule, Sam, Sgd};
///
/// let mut w = array![[1.0, -2.0], [0.5, 3.0]];
/// let mut g = Array2::zeros(w.raw_dim());
/// let mut sam =
///     Sam::new(ArraySpace::new(w.raw_dim()), Rule::l2(0.05), OnArrays(Sgd::new(0.1)));
/// let step = sam.step_with(&mut w, &mut g, |w, g, _pass| {
///     g.assign(w); // the gradient of half the square
///     0.5 * w.iter().map(|w| w * w).sum::<f64>()
/// })?;
/// assert!(step.clean > 0.0 && w[[0, 0]] < 0.9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ArraySpace<T, D: Dimension> {
    perturbed: Array<T, D>,
}

/// A base optimizer for slices, on arrays.
#[derive(Clone, Debug)]
pub struct OnArrays<B>(pub B);

/// Arrays don't fit each other, or don't lie in standard order.
#[derive(Clone, Debug, PartialEq)]
pub enum ArrayError<E = LengthMismatch> {
    /// Of another shape than the space's.
    Shape {
        /// The space's.
        expected: Vec<usize>,
        /// The array's.
        found: Vec<usize>,
    },
    /// Not in standard order; `as_standard_layout` makes an array that is.
    Order,
    /// What the slices' own implementation refuses.
    Slices(E),
}

impl<E: fmt::Display> fmt::Display for ArrayError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { expected, found } => {
                write!(f, "expected an array of shape {expected:?}, the space's, found {found:?}")
            }
            Self::Order => {
                f.write_str("expected an array in standard order; make one with as_standard_layout")
            }
            Self::Slices(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for ArrayError<E> {}

impl<T: Real, D: Dimension> ArraySpace<T, D> {
    /// A space for arrays of the given extents.
    #[must_use]
    pub fn new(extents: D) -> Self {
        Self { perturbed: Array::from_elem(extents, T::ZERO) }
    }

    fn slice<'a>(&self, array: &'a Array<T, D>) -> Result<&'a [T], ArrayError> {
        if array.shape() != self.perturbed.shape() {
            let (expected, found) = (self.perturbed.shape().to_vec(), array.shape().to_vec());
            return Err(ArrayError::Shape { expected, found });
        }
        array.as_slice().ok_or(ArrayError::Order)
    }
}

impl<T: Real, D: Dimension> ParamSpace for ArraySpace<T, D> {
    type Params = Array<T, D>;
    type Grads = Array<T, D>;
    type Scalar = T;
    type Norm = DualNorm;
    type Error = ArrayError;

    fn dual_norm(
        &mut self,
        w: &Array<T, D>,
        g: &Array<T, D>,
        rule: &Rule<T>,
    ) -> Result<DualNorm, ArrayError> {
        let (w, g) = (self.slice(w)?, self.slice(g)?);
        Ok(formula::dual_norm(rule, w, g))
    }

    fn verdict(&self, norm: &DualNorm) -> Verdict {
        norm.verdict()
    }

    fn ascend(
        &mut self,
        w: &mut Array<T, D>,
        g: &Array<T, D>,
        rule: &Rule<T>,
        norm: &DualNorm,
    ) -> Result<(), ArrayError> {
        let (w, g) = (self.slice(w)?, self.slice(g)?);
        let to = self.perturbed.as_slice_mut().ok_or(ArrayError::Order)?;
        formula::Ascent::new(rule, norm).write(0, w, g, to);
        Ok(())
    }

    fn perturbed<'a>(&'a self, _w: &'a Array<T, D>) -> &'a Array<T, D> {
        &self.perturbed
    }

    fn restore(&mut self, _w: &mut Array<T, D>) -> Result<(), ArrayError> {
        Ok(())
    }

    fn check(&mut self, g: &Array<T, D>) -> Result<Verdict, ArrayError> {
        let g = self.slice(g)?;
        Ok(if formula::all_finite(g) { Verdict::Finite } else { Verdict::NonFinite })
    }
}

impl<T, D: Dimension, B: Descent<[T], [T]>> Descent<Array<T, D>> for OnArrays<B> {
    type Error = ArrayError<B::Error>;

    fn descend(&mut self, params: &mut Array<T, D>, grads: &mut Array<T, D>) -> Result<(), Self::Error> {
        let params = params.as_slice_mut().ok_or(ArrayError::Order)?;
        let grads = grads.as_slice_mut().ok_or(ArrayError::Order)?;
        self.0.descend(params, grads).map_err(ArrayError::Slices)
    }
}
