//! SAM behind a page: two descents on a surface that a person shapes, two runs over the digits.
//!
//! Everything is computed here, in arithmetic that has the same bits in every browser and on the host; the page
//! draws. Besides the plain modules there are `exports`, for WebAssembly only.
#![cfg_attr(target_arch = "wasm32", no_std)]

#[cfg(target_arch = "wasm32")]
mod exports;
pub mod race;
#[cfg(target_arch = "wasm32")]
mod single;
pub mod surface;
pub mod walk;
