//! Why a network cannot be built, and why a batch does not fit.

use core::fmt;

use crate::kernel::UnknownVectors;
use sam_model::DescriptionError;

/// A network can't be built.
#[derive(Debug)]
pub enum NetworkError {
    /// It is not one that any backend could compute.
    Description(DescriptionError),
    /// A batch of no samples.
    EmptyBatch,
    /// The threads could not be started.
    Threads(String),
    /// `SAM_VECTORS` names vector instructions that this machine does not have.
    Vectors(UnknownVectors),
    /// Buffers of this many elements can't be addressed.
    TooLarge(u128),
}

impl From<DescriptionError> for NetworkError {
    fn from(error: DescriptionError) -> Self {
        Self::Description(error)
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Description(error) => error.fmt(f),
            Self::EmptyBatch => f.write_str("expected a batch of at least one sample, found 0"),
            Self::Threads(cause) => write!(f, "threads could not be started ({cause}); ask for fewer"),
            Self::Vectors(error) => error.fmt(f),
            Self::TooLarge(elements) => {
                write!(
                    f,
                    "one buffer would have {elements} elements, at most {} are possible; use a smaller batch, image or network",
                    u32::MAX
                )
            }
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

/// A batch, or parameters for it, don't fit the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// Images of another shape: samples, height, width, channels.
    Images {
        /// Shape of the network's images, height, width and channels.
        expected: [usize; 3],
        /// Shape of the array.
        found: [usize; 4],
    },
    /// More samples than the network was built for, or none.
    Samples {
        /// The most.
        most: usize,
        /// In the batch.
        found: usize,
    },
    /// Not one label for each image.
    Labels {
        /// Images.
        expected: usize,
        /// Labels.
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
    /// A gradient was asked for with no batch set.
    NoBatch,
    /// A flat arena of another length.
    Length {
        /// What it holds.
        what: &'static str,
        /// The network's.
        expected: usize,
        /// The slice's.
        found: usize,
    },
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Images { expected: [h, w, c], found } => {
                write!(
                    f,
                    "expected images of {h}x{w}x{c} (height, width, channels last), found an array of {found:?}"
                )
            }
            Self::Samples { most, found } => {
                write!(f, "expected 1 to {most} samples, the size the network was built for, found {found}")
            }
            Self::Labels { expected, found } => {
                write!(f, "expected {expected} labels, one an image, found {found}")
            }
            Self::Label { classes, found, sample } => {
                write!(f, "expected labels below {classes}, found {found} at sample {sample}")
            }
            Self::NoBatch => f.write_str("no batch is set; call set_batch before asking for a gradient"),
            Self::Length { what, expected, found } => write!(f, "expected {expected} {what}, found {found}"),
        }
    }
}

impl std::error::Error for BatchError {}

/// Makes sure that a flat arena is as long as the network wants it.
pub fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), BatchError> {
    if expected == found { Ok(()) } else { Err(BatchError::Length { what, expected, found }) }
}
