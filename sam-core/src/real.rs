//! The two number types that parameters can have.

use core::fmt::{Debug, Display};
use core::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use num_traits::{ConstOne, ConstZero};

use crate::Loss;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `f32` or `f64`: what parameters, gradients and hyper-parameters are made of.
///
/// Sealed, and small on purpose. No other crate's trait is among its bounds: a bound on `num_traits::Float` would let some
/// other crate in the build switch functions from `libm` to the platform's and so change last bits. Every function here has
/// one implementation. Half precision is missing on purpose too: perturbed parameters must be able to move by
/// `rho / sqrt(n)`, and at 11 M parameters most `f16` and `bf16` values cannot.
pub trait Real:
    sealed::Sealed
    + Loss
    + Copy
    + Default
    + PartialOrd
    + Debug
    + Display
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + Send
    + Sync
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Largest `k` such that both `2^k` and `2^-k` are normal numbers.
    const MAX_UNIT_EXPONENT: i32;

    /// A sum of this size has lost nothing that matters to underflow of its terms, even if there are 2^40 of
    /// them.
    const SMALLEST_SAFE_SUM: f64;

    /// The value as `f64`; exact.
    fn widen(self) -> f64;
    /// The nearest value of this type.
    fn narrow(wide: f64) -> Self;
    /// Absolute value.
    #[must_use]
    fn abs(self) -> Self;
    /// Square root, correctly rounded.
    #[must_use]
    fn sqrt(self) -> Self;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;

    /// -1, 0 or 1. Unlike `f64::signum`, zero has no sign here: eq. 2 leaves a weight without a gradient in
    /// place.
    #[must_use]
    fn sign(self) -> Self {
        if self > Self::ZERO {
            Self::ONE
        } else if self < Self::ZERO {
            -Self::ONE
        } else {
            Self::ZERO
        }
    }
}

impl Real for f32 {
    const ZERO: Self = ConstZero::ZERO;
    const ONE: Self = ConstOne::ONE;
    const MAX_UNIT_EXPONENT: i32 = 126;
    /// 2^-70.
    const SMALLEST_SAFE_SUM: f64 = 1.0 / (1u128 << 70) as f64;

    fn widen(self) -> f64 {
        f64::from(self)
    }
    fn narrow(wide: f64) -> Self {
        wide as f32
    }
    fn abs(self) -> Self {
        f32::abs(self)
    }
    fn sqrt(self) -> Self {
        libm::sqrtf(self)
    }
    fn is_finite(self) -> bool {
        f32::is_finite(self)
    }
}

impl Real for f64 {
    const ZERO: Self = ConstZero::ZERO;
    const ONE: Self = ConstOne::ONE;
    const MAX_UNIT_EXPONENT: i32 = 1022;
    /// 2^-900.
    const SMALLEST_SAFE_SUM: f64 = f64::from_bits(123 << 52);

    fn widen(self) -> f64 {
        self
    }
    fn narrow(wide: f64) -> Self {
        wide
    }
    fn abs(self) -> Self {
        f64::abs(self)
    }
    fn sqrt(self) -> Self {
        libm::sqrt(self)
    }
    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }
}
