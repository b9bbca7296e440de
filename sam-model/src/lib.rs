#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod architecture;
mod batch_norm;
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
pub mod random;
mod record;
mod shape;
mod window;
mod zoo;

pub use architecture::{Architecture, ParseArchitectureError};
pub use batch_norm::BatchNorm;
pub use description::Description;
pub use error::{DescriptionError, ShapeError};
pub use evaluation::Evaluation;
pub use graph::{Graph, Node, Tensor};
pub use init::{Init, Initialization, ParseInitializationError};
pub use layout::{ArenaLayout, TensorInfo};
pub use name::Name;
pub use op::{Op, Signature};
pub use parameter::{Parameter, Role};
pub use shape::{ImageShape, Shape};
pub use window::{Padding, Windows};
pub use zoo::{
    Blocks, EfficientNet, ImageNetResNet, LeNet, Mlp, PyramidNet, ResNet, ShakeShake, Shortcuts, WideResNet,
    Widths,
};
