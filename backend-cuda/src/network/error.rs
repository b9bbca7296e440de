//! Why a network or a batch is refused.

use core::fmt;

use sam_model::{DescriptionError, Shape};

use crate::CudaError;

/// A network can't be built, or what it was given doesn't fit.
#[derive(Debug)]
pub enum NetworkError {
    /// It is not one that any backend could compute.
    Description(DescriptionError),
    /// No samples, or more than the network was built for.
    Samples {
        /// The most, if there is such a number.
        most: Option<usize>,
        /// In the batch.
        found: usize,
    },
    /// A label that no class has.
    Label {
        /// Classes of the network.
        classes: usize,
        /// The label.
        found: u16,
        /// Which sample's.
        sample: usize,
    },
    /// Images on the device of another shape than the network's.
    Images {
        /// The network's.
        expected: Shape,
        /// The images'.
        found: Shape,
    },
    /// A gradient was asked for with no batch set.
    NoBatch,
    /// The device, or a buffer of the wrong length.
    Device(CudaError),
}

impl From<DescriptionError> for NetworkError {
    fn from(error: DescriptionError) -> Self {
        Self::Description(error)
    }
}

impl From<CudaError> for NetworkError {
    fn from(error: CudaError) -> Self {
        Self::Device(error)
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Description(error) => error.fmt(f),
            Self::Samples { most: Some(most), found } => {
                write!(f, "expected 1 to {most} samples, the size the network was built for, found {found}")
            }
            Self::Samples { most: None, found } => write!(f, "expected at least one sample, found {found}"),
            Self::Label { classes, found, sample } => {
                write!(f, "expected labels below {classes}, found {found} at sample {sample}")
            }
            Self::Images { expected, found } => {
                write!(f, "expected images of {expected}, the network's, found {found}")
            }
            Self::NoBatch => f.write_str("no batch is set; call set_batch before asking for a gradient"),
            Self::Device(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NetworkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Description(error) => error.source(),
            _ => None,
        }
    }
}
