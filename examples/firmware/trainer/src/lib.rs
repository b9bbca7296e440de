//! A small network, its gradients and its training with SAM: no std, no allocation, every buffer lent.
//!
//! One library for the board, the host and the browser. It is `f32` arithmetic in a fixed order and software
//! functions from `libm`, so all of them end with the same bits.
//!
//! ```text
//! image --Sensor--> numbers --Network--> loss, gradient --sam-core--> weights
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod batch;
#[cfg(feature = "embedded-data")]
pub mod digits;
#[cfg(feature = "embedded-data")]
pub mod experiment;
mod network;
mod oracle;
mod random;
mod sensor;
mod sight;
mod training;

pub use batch::{Batch, BatchOrder, Set};
pub use network::{CLASSES, Network};
pub use oracle::{LastLayer, Whole};
pub use random::XorShift;
pub use sensor::{PIXELS, Sensor};
pub use sight::Sight;
pub use training::{Buffers, Failure, Method, Recipe, Scope, Trainer};
