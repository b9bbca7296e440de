//! What a network's numbers must be able to do.

mod exp;

use crate::kernel::{MicroKernels, Vectors};
use core::{
    fmt::{Debug, Display},
    iter::Sum,
    ops::{AddAssign, MulAssign, Neg, SubAssign},
};
use num_traits::{NumOps, Zero};

pub(crate) mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// Arithmetic as networks need it, and a type to compute wider in: see [`Scalar`](crate::Scalar).
///
/// Comparisons are by value: a number's derivative decides nothing.
pub trait Number:
    sealed::Sealed
    + Copy
    + PartialOrd
    + Zero
    + NumOps
    + AddAssign
    + SubAssign
    + MulAssign
    + Debug
    + Display
    + Send
    + Sync
    + 'static
{
    /// What long sums and functions other than arithmetic are computed in.
    type Wide: Wide;

    /// A constant: exactly, but rounded to nearest for f32.
    fn of(value: f64) -> Self;
    /// The value, exactly.
    fn value(self) -> f64;
    /// Exactly.
    fn wide(self) -> Self::Wide;
    /// Exactly, but rounded to nearest for f32.
    fn narrow(wide: Self::Wide) -> Self;
    /// The fastest micro-kernels that this machine runs.
    #[doc(hidden)]
    fn kernels() -> MicroKernels<Self>;
}

/// The numbers that others are widened to: of double precision, with the functions that networks are made of.
pub trait Wide: Number<Wide = Self> + NumOps<f64> + Neg<Output = Self> + Sum {
    /// e to its power.
    #[must_use]
    fn exp(self) -> Self;
    /// e to its power, which is not positive: zero where that is below the least normal number. In a sweep it is much faster.
    #[must_use]
    fn exp_of_negative(self) -> Self;
    /// Natural logarithm.
    #[must_use]
    fn ln(self) -> Self;
    /// Square root.
    #[must_use]
    fn sqrt(self) -> Self;
    /// One over it.
    #[must_use]
    fn recip(self) -> Self;
}

impl Number for f32 {
    type Wide = f64;

    #[inline]
    fn of(value: f64) -> Self {
        value as Self
    }
    #[inline]
    fn value(self) -> f64 {
        f64::from(self)
    }
    #[inline]
    fn wide(self) -> f64 {
        f64::from(self)
    }
    #[inline]
    fn narrow(wide: f64) -> Self {
        wide as Self
    }
    fn kernels() -> MicroKernels<Self> {
        MicroKernels::of(Vectors::chosen())
    }
}

impl Number for f64 {
    type Wide = Self;

    #[inline]
    fn of(value: f64) -> Self {
        value
    }
    #[inline]
    fn value(self) -> f64 {
        self
    }
    #[inline]
    fn wide(self) -> f64 {
        self
    }
    #[inline]
    fn narrow(wide: f64) -> Self {
        wide
    }
    fn kernels() -> MicroKernels<Self> {
        MicroKernels::plain()
    }
}

impl Wide for f64 {
    #[inline]
    fn exp(self) -> Self {
        Self::exp(self)
    }
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        exp::exp_of_negative(self)
    }
    #[inline]
    fn ln(self) -> Self {
        Self::ln(self)
    }
    #[inline]
    fn sqrt(self) -> Self {
        Self::sqrt(self)
    }
    #[inline]
    fn recip(self) -> Self {
        Self::recip(self)
    }
}
