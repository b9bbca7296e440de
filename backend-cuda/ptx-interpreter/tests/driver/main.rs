//! The driver API as a program sees it: the shared library is opened and called through its C functions.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "calls of C functions")]

mod api;
mod capture;
mod devices;
mod errors;
mod memory;
