//! Whole networks: passes, gradients, products with the Hessian, evaluation; sweeps over their parameters.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod compositions;
mod folding;
mod gradients;
mod grouped;
#[cfg(feature = "dual")]
mod hessian;
mod norm;
mod parallel;
mod passes;
mod reference;
mod support;
mod wirings;
