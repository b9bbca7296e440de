use core::fmt;

use sam_model::{Shape, ShapeError};

use crate::CudaError;

/// A network can't be built, or what it was given doesn't fit.
#[derive(Debug)]
pub enum NetworkError {
    /// An operation doesn't fit its input: the image is too small, or empty.
    Shape {
        /// Name of the operation.
        layer: String,
        /// What it takes and what it was given.
        source: Box<ShapeError>,
    },
    /// The network doesn't end in its logits.
    Logits {
        /// Classes that were asked for.
        classes: usize,
        /// Shape of the last tensor.
        found: Shape,
    },
    /// Fewer than two classes, or more than labels can name.
    Classes(usize),
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

impl From<CudaError> for NetworkError {
    fn from(error: CudaError) -> Self {
        Self::Device(error)
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { layer, source } => write!(f, "layer {layer}: {source}"),
            Self::Logits { classes, found } => write!(
                f,
                "expected the logits, a vector of {classes} values, as the last tensor made, found {found}"
            ),
            Self::Classes(found) => write!(f, "expected 2 to 65536 classes, found {found}"),
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
            Self::Shape { source, .. } => Some(&**source),
            _ => None,
        }
    }
}
