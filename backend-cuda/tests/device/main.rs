//! What runs on a device: on a GPU where there is one, on an interpreter of kernels elsewhere.
//!
//! Without either the tests say that they were skipped, or fail if `SAM_REQUIRE_CUDA=1`.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod algebra;
mod average;
mod clip;
mod compositions;
mod descent;
mod errors;
mod layers;
mod methods;
mod mixing;
mod network;
mod precision;
#[path = "../../../backend-ndarray/tests/networks/reference.rs"]
mod reference;
mod space;
mod steps;
mod support;
mod twins;
mod vendor;
mod vendor_fused;
mod vendor_uneven;
#[path = "../../../backend-ndarray/tests/networks/wirings.rs"]
#[allow(dead_code, reason = "shared with the tests of the CPU backend, which use the rest")]
mod wirings;
