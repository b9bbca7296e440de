//! Why a network is refused.

use crate::{Op, Shape, Tensor};
use alloc::{boxed::Box, string::String, vec::Vec};
use core::{error::Error, fmt};

/// An operation was applied to tensors that it can't take.
#[derive(Clone, Debug, PartialEq)]
pub struct ShapeError {
    /// The operation.
    pub op: Op,
    /// What it was given.
    pub inputs: Vec<Shape>,
    /// What it takes.
    pub expected: &'static str,
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} takes {}, but ", self.op, self.expected)?;
        match self.inputs.as_slice() {
            [] => f.write_str("it has no input"),
            [input] => write!(f, "its input is {input}"),
            [first, others @ ..] => {
                write!(f, "its inputs are {first}")?;
                others.iter().try_for_each(|shape| write!(f, ", {shape}"))
            }
        }
    }
}

impl Error for ShapeError {}

/// A description is not that of a network that can be trained.
#[derive(Clone, Debug, PartialEq)]
pub enum DescriptionError {
    /// An operation doesn't fit its inputs: the image is too small, or empty.
    Shape {
        /// Name of the operation.
        layer: String,
        /// What it takes and what it was given.
        source: Box<ShapeError>,
    },
    /// An operation reads a tensor that none before it made.
    Unmade {
        /// Name of the operation.
        layer: String,
        /// What it reads.
        tensor: Tensor,
    },
    /// Two operations have one name.
    Name {
        /// The name.
        layer: String,
    },
    /// An operation's output, or the parameters up to it, can't be addressed.
    TooLarge {
        /// Name of the operation.
        layer: String,
    },
    /// The network doesn't end in its logits.
    Logits {
        /// Classes that were asked for.
        classes: usize,
        /// Shape of the last tensor.
        found: Shape,
    },
    /// A layer whose output no other reads: its parameters would have no gradient.
    Unread {
        /// Name of the operation.
        layer: String,
    },
    /// Fewer than two classes, or more than labels can name.
    Classes(usize),
}

impl fmt::Display for DescriptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { layer, source } => write!(f, "layer {layer}: {source}"),
            Self::Unmade { layer, tensor: Tensor(number) } => {
                write!(f, "layer {layer}: expected tensors made before it, found number {number}")
            }
            Self::Name { layer } => {
                write!(
                    f,
                    "layer {layer}: expected a name of its own, found it given to a layer before; rename one"
                )
            }
            Self::TooLarge { layer } => write!(
                f,
                "layer {layer}: expected an output and parameters that fit into the address space, found more; \
                 use a smaller image or network"
            ),
            Self::Logits { classes, found } => write!(
                f,
                "expected the logits, a vector of {classes} values, as the last tensor made, found {found}"
            ),
            Self::Unread { layer } => {
                write!(f, "layer {layer}: expected another to read its output, found none; leave it out")
            }
            Self::Classes(found) => write!(f, "expected 2 to 65536 classes, found {found}"),
        }
    }
}

impl Error for DescriptionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Shape { source, .. } => Some(&**source),
            _ => None,
        }
    }
}
