//! What is done to the sums of a product at the end.

use crate::Number;

/// What is done to the sums when they are complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    Nothing,
    /// `max(sum, 0)`.
    Relu,
}

impl Finish {
    /// Of values that have just been written.
    #[inline(always)]
    pub fn apply<T: Number>(self, values: &mut [T]) {
        if self == Self::Relu {
            values.iter_mut().for_each(|value| *value = rectify(*value));
        }
    }
}

/// `max(x, 0)`. At 0 too it is a constant, as the gradient has it: so a derivative that comes along is cut off there as well.
#[inline(always)]
pub fn rectify<T: Number>(x: T) -> T {
    if x <= T::zero() { T::zero() } else { x }
}
