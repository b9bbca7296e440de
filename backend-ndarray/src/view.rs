//! Tensors of a flat arena as arrays.

use crate::error::BatchError;
use ndarray::{ArrayViewD, ArrayViewMutD};
use sam_model::TensorInfo;

/// Views of a tensor in an arena of parameters, gradients, momenta or whatever else is laid out alike. Copies nothing.
///
/// ```
/// use sam_backend_ndarray::{Network, TensorView};
/// use sam_model::ImageShape;
///
/// let network = Network::<f32>::new(&"mlp-16".parse()?, ImageShape::new(8, 8, 1), 10, 32, 1)?;
/// let weights = network.initial_parameters(0);
/// let bias = network.tensors().iter().find(|tensor| tensor.name == "head.bias").ok_or("no such tensor")?;
/// assert_eq!((bias.shape.as_slice(), bias.range.len()), ([10].as_slice(), 10));
/// assert!(bias.view(&weights)?.iter().all(|bias| *bias == 0.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait TensorView {
    /// The tensor itself, of its [shape](TensorInfo::shape).
    ///
    /// # Errors
    /// When the arena ends before the tensor.
    fn view<'a, T>(&self, arena: &'a [T]) -> Result<ArrayViewD<'a, T>, BatchError>;

    /// The same, to be changed.
    ///
    /// # Errors
    /// When the arena ends before the tensor.
    fn view_mut<'a, T>(&self, arena: &'a mut [T]) -> Result<ArrayViewMutD<'a, T>, BatchError>;
}

impl TensorView for TensorInfo {
    fn view<'a, T>(&self, arena: &'a [T]) -> Result<ArrayViewD<'a, T>, BatchError> {
        let error = beyond(self, arena.len());
        let values = arena.get(self.range.clone()).ok_or(error.clone())?;
        ArrayViewD::from_shape(self.shape.clone(), values).map_err(|_| error)
    }

    fn view_mut<'a, T>(&self, arena: &'a mut [T]) -> Result<ArrayViewMutD<'a, T>, BatchError> {
        let error = beyond(self, arena.len());
        let values = arena.get_mut(self.range.clone()).ok_or(error.clone())?;
        ArrayViewMutD::from_shape(self.shape.clone(), values).map_err(|_| error)
    }
}

const fn beyond(tensor: &TensorInfo, found: usize) -> BatchError {
    BatchError::Length { what: "values in the arena, at least", expected: tensor.range.end, found }
}
