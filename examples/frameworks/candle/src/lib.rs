#![doc = include_str!("../README.md")]

mod algebra;
mod descent;
pub mod network;
mod parameters;
mod space;
mod statistics;

pub use descent::Base;
pub use parameters::{parameters, running_statistics};
pub use space::{CandleSpace, Element};
pub use statistics::KeepStatistics;
