#![doc = include_str!("../README.md")]

mod algebra;
mod descent;
mod gradients;
pub mod network;
mod norm;
mod perturb;
mod space;

pub use descent::Base;
pub use norm::DeviceNorm;
pub use space::{BurnSpace, SpaceError};
