//! Tensors that do not go together.

use core::fmt;

use super::Tensors;

/// Gradients, buffers or the table of segments do not go with the parameters.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorMismatch {
    /// One has more tensors than the other.
    #[non_exhaustive]
    Count {
        /// Tensors of the parameters.
        expected: usize,
        /// Tensors of the other.
        found: usize,
    },
    /// A tensor has more values than its counterpart.
    #[non_exhaustive]
    Length {
        /// Which, counted from 0.
        tensor: usize,
        /// Values in the parameters' tensor.
        expected: usize,
        /// Values in the other.
        found: usize,
    },
}

impl TensorMismatch {
    /// Compares the shape of `other` with that of the parameters.
    ///
    /// # Errors
    /// The first mismatch.
    pub fn check<P: Tensors>(w: &P, other: &P) -> Result<(), Self> {
        let (expected, found) = (w.tensors().count(), other.tensors().count());
        if expected != found {
            return Err(Self::Count { expected, found });
        }
        for (tensor, (w, other)) in w.tensors().zip(other.tensors()).enumerate() {
            let (expected, found) = (w.len(), other.len());
            if expected != found {
                return Err(Self::Length { tensor, expected, found });
            }
        }
        Ok(())
    }
}

impl fmt::Display for TensorMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { expected, found } => {
                write!(f, "expected {expected} tensors, as many as the parameters have, found {found}")
            }
            Self::Length { tensor, expected, found } => {
                write!(
                    f,
                    "expected {expected} values in tensor {tensor}, as in the parameters, found {found}"
                )
            }
        }
    }
}

impl core::error::Error for TensorMismatch {}
