//! The CUDA backend behind the command: on a GPU where there is one, on the interpreter of kernels elsewhere.
#![cfg(all(feature = "command", feature = "cuda", target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod averages;
mod command;
mod images;
mod steps;
mod support;
