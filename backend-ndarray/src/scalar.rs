use crate::kernel::MicroKernels;
use core::{
    fmt::{Debug, Display},
    iter::Sum,
    ops::{AddAssign, MulAssign, SubAssign},
};
use num_traits::{Float, FromPrimitive};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// Number type of a network: `f32` to train, `f64` as the exact reference.
pub trait Scalar:
    sealed::Sealed
    + Float
    + FromPrimitive
    + AddAssign
    + SubAssign
    + MulAssign
    + Sum
    + Default
    + Debug
    + Display
    + Send
    + Sync
    + 'static
{
    /// Exactly for f64, rounded to nearest for f32.
    fn of(value: f64) -> Self;
    /// Exactly.
    fn wide(self) -> f64;
    /// The fastest micro-kernels that this machine runs.
    #[doc(hidden)]
    fn kernels() -> MicroKernels<Self>;
}

impl Scalar for f32 {
    #[inline]
    fn of(value: f64) -> Self {
        value as Self
    }
    #[inline]
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn kernels() -> MicroKernels<Self> {
        MicroKernels::detect_f32()
    }
}

impl Scalar for f64 {
    #[inline]
    fn of(value: f64) -> Self {
        value
    }
    #[inline]
    fn wide(self) -> f64 {
        self
    }
    fn kernels() -> MicroKernels<Self> {
        MicroKernels::portable()
    }
}
