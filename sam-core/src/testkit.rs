//! Conformance checks for implementors of the traits. Needs `std`; meant for test builds.
//!
//! A storage describes itself once, as a [`Storage`]; [`check_space`] and [`check_descent`] then compare it
//! with plain `f64` loops. [`check_oracle`] compares a gradient with differences of the loss. All of them
//! panic with what they expected, what they found and for which input.
//!
//! ```
//! use sam_core::testkit::{check_space, Storage};
//! use sam_core::{SliceSpace, formula::DualNorm};
//!
//! struct Slices;
//! impl Storage for Slices {
//!     type Scalar = f32;
//!     type Space = SliceSpace<f32, Vec<f32>>;
//!     type Params = Vec<f32>;
//!     type Grads = Vec<f32>;
//!     const TOLERANCE: f64 = 1e-6;
//!     fn space(&mut self, len: usize) -> Self::Space { SliceSpace::new(vec![0.0; len]) }
//!     fn params(&mut self, values: &[f64]) -> Vec<f32> { values.iter().map(|x| *x as f32).collect() }
//!     fn grads(&mut self, values: &[f64]) -> Vec<f32> { self.params(values) }
//!     fn read(&mut self, params: &[f32]) -> Vec<f64> { params.iter().map(|x| f64::from(*x)).collect() }
//!     fn read_norm(&mut self, norm: &DualNorm) -> f64 { norm.value() }
//! }
//! check_space(&mut Slices);
//! ```

mod check_clean_gradient;
mod check_descent;
mod check_oracle;
mod check_space;
mod reference;

pub use check_descent::check_descent;
pub use check_oracle::check_oracle;
pub use check_space::check_space;
pub use reference::{Update, adam, eps_hat, lion, rmsprop, sgd};

use core::borrow::BorrowMut;
use std::vec::Vec;

use crate::{ParamSpace, Real};

/// How to get numbers into a storage and out of it.
pub trait Storage {
    /// Type of the hyper-parameters.
    type Scalar: Real;
    /// The storage under test.
    type Space: ParamSpace<Scalar = Self::Scalar>;
    /// Owns parameters.
    type Params: BorrowMut<<Self::Space as ParamSpace>::Params>;
    /// Owns gradients.
    type Grads: BorrowMut<<Self::Space as ParamSpace>::Grads>;
    /// Largest relative error of a norm, and of a perturbed parameter relative to the largest part of the
    /// sum.
    const TOLERANCE: f64;

    /// A space for `len` parameters.
    fn space(&mut self, len: usize) -> Self::Space;
    /// Parameters with these values, rounded to the storage's type.
    fn params(&mut self, values: &[f64]) -> Self::Params;
    /// A gradient with these values, rounded to the storage's type.
    fn grads(&mut self, values: &[f64]) -> Self::Grads;
    /// The values of parameters, exactly, -0 as -0.
    fn read(&mut self, params: &<Self::Space as ParamSpace>::Params) -> Vec<f64>;
    /// The value of a norm; waits for the device if need be.
    fn read_norm(&mut self, norm: &<Self::Space as ParamSpace>::Norm) -> f64;
}

/// `n` numbers in (-1, 1), the same for the same seed; xorshift64* (Vigna, 2016).
fn numbers(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// The bits of every number.
fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// The error, whatever type it has, as a panic.
#[track_caller]
fn succeed<T, E>(result: Result<T, E>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(_) => panic!("{what} returned an error"),
    }
}
