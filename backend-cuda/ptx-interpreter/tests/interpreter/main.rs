//! The interpreter against Rust's own arithmetic, and against kernels with planted faults.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::type_complexity, reason = "tables of instructions and what they must give")]

mod bench;
mod bits;
mod collective;
mod control;
mod conversion;
mod faults;
mod float;
mod half;
mod integer;
mod kernels;
mod matrix;
mod memory;
mod robustness;
mod rounding;
mod syntax;
