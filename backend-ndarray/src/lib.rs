#![doc = include_str!("../README.md")]

mod buffer;
#[cfg(feature = "dual")]
mod dual;
mod error;
mod kernel;
mod layer;
mod layout;
mod loss;
mod network;
mod number;
mod parallel;
mod plan;
mod product;
mod space;
mod team;
mod threads;
mod view;
mod wide;

#[cfg(feature = "dual")]
pub use dual::ForwardOverReverse;
pub use error::{BatchError, NetworkError};
pub use kernel::{UnknownVectors, arithmetic};
pub use network::{Network, Random, Scalar, Size};
#[cfg(feature = "dual")]
pub use num_dual::Dual64;
pub use number::{Number, Wide};
pub use parallel::{Parallel, ParallelSpace};
pub use plan::Activations;
pub use space::{ArrayError, ArraySpace, OnArrays};
pub use team::Pool;
pub use threads::Threads;
pub use view::TensorView;
