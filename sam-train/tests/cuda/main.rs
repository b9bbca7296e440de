//! The CUDA backend behind the command: on a GPU where there is one, on the interpreter of kernels elsewhere.
#![cfg(all(feature = "command", feature = "cuda", target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod averages;
mod command;
mod images;
mod ranks;
mod steps;
mod support;
#[path = "../ranks/threads.rs"]
#[allow(dead_code, reason = "shared with the tests of ranks, which use the rest")]
mod threads;
