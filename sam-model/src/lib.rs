#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod architecture;
pub mod batch_norm;
mod blocks;
mod description;
mod error;
mod evaluation;
mod graph;
mod init;
mod layout;
mod name;
mod op;
mod parameter;
mod shape;
mod zoo;

pub use architecture::{Architecture, ParseArchitectureError};
pub use description::Description;
pub use error::{DescriptionError, ShapeError};
pub use evaluation::Evaluation;
pub use graph::{Graph, Node, Tensor};
pub use init::Init;
pub use layout::{ArenaLayout, TensorInfo};
pub use name::Name;
pub use op::{Op, Signature};
pub use parameter::{Parameter, Role};
pub use shape::{ImageShape, Shape};
pub use zoo::{LeNet, Mlp, ResNet, WideResNet};
