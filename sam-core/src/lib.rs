//! Sharpness-Aware Minimization (Foret et al., ICLR 2021) without `std` and without allocation.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "model")]
pub mod model;
