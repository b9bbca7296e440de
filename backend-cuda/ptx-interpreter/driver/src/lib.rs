//! CUDA's driver API, the part of it that a program with kernels as PTX text needs, in front of the interpreter.
//!
//! Everything is done at once: streams have no work waiting, and a fault shows at the next call, as a device's would.
//! Handles are numbers, never pointers, so that a wrong one is an error and not a crash.

#![allow(unsafe_code, reason = "C functions that are given pointers")]
#![allow(non_snake_case, reason = "the driver's own names")]
#![allow(clippy::missing_safety_doc, reason = "the driver's manual is the contract")]

mod code;
mod context;
mod counters;
mod device;
mod event;
mod foreign;
mod graph;
mod launch;
mod log;
mod memory;
mod module;
mod pointer;
mod state;
mod stream;
