//! What runs on a device: on a GPU where there is one, on an interpreter of kernels elsewhere.
//!
//! Without either the tests say that they were skipped, or fail if `SAM_REQUIRE_CUDA=1`.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod algebra;
mod average;
mod clip;
mod descent;
mod errors;
mod layers;
mod network;
mod precision;
mod space;
mod steps;
mod support;
mod twins;
mod vendor;
