#![doc = include_str!("../README.md")]

mod arena;
mod error;
mod kernel;
mod layer;
mod layout;
mod loss;
mod network;
mod plan;
mod scalar;
mod space;
mod team;

pub use arena::Segment;
pub use error::{BatchError, NetworkError};
pub use loss::Evaluation;
pub use network::{Network, Size};
pub use plan::Description;
pub use scalar::Scalar;
pub use space::{ArrayError, ArraySpace, OnArrays};
