//! Networks as plain data: operations, shapes, parameter layout.
//!
//! Nothing here allocates or computes with weights. An [`Architecture`] *describes itself* to a [`Graph`], the
//! backend's side: it pushes one [`Op`] after the other, each reading tensors made before. What an operation
//! makes of a shape and which parameters it owns are functions of the [`Op`] alone, so every backend lays out
//! the same flat arena of parameters and a checkpoint of one loads in another.
//!
//! Tensors are `height x width x channels`, channels last, one per sample.

#![no_std]
#![forbid(unsafe_code)]

mod architecture;
mod name;
mod op;
mod parameter;
mod shape;

pub use architecture::{Architecture, HiddenSizes, ParseArchitectureError};
pub use name::Name;
pub use op::{Op, ShapeError};
pub use parameter::{Init, Parameter, Role};
pub use shape::Shape;

/// Shape of an input image: the same thing as the shape of any tensor inside the network.
pub type ImageShape = Shape;

/// A tensor of a network under description: the position of the operation that makes it, counted from 1.
/// [`Tensor::INPUT`] is the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tensor(pub usize);

impl Tensor {
    /// The network's input.
    pub const INPUT: Self = Self(0);
}

/// Receives a network's description, in an order in which it can be computed.
pub trait Graph {
    /// Why a graph refuses an operation; usually wraps a [`ShapeError`].
    type Error;

    /// Appends an operation on one tensor, or on two for [`Op::Add`], and returns the tensor it makes.
    ///
    /// # Errors
    /// When the inputs' shapes don't suit the operation.
    fn push(&mut self, name: Name, op: Op, inputs: &[Tensor]) -> Result<Tensor, Self::Error>;
}
