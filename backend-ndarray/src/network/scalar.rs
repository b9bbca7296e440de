//! The numbers that networks are compiled for.

use super::{
    Network,
    build::{self, Task},
};
use crate::{layout::Layout, number::Number, plan::Plan};
use ndarray::ArrayView4;
use sam_core::{Pass, Ready};
use sam_model::Evaluation;

/// Number type of a network: `f32` to train, `f64` as the exact reference, and with the feature `dual` dual numbers, whose
/// derivative goes through both passes.
pub trait Scalar: Number {
    /// Layers and passes, compiled for this type by this crate: if they were generic as far as the caller, each crate and test
    /// program that builds a network would compile them anew, which takes a minute. So it is never inlined.
    #[doc(hidden)]
    fn compiled() -> Compiled<Self>;
}

macro_rules! compile {
    ($($(#[$when:meta])* $T:ty),*) => {$(
        $(#[$when])*
        impl Scalar for $T {
            #[inline(never)]
            fn compiled() -> Compiled<Self> {
                Compiled::new()
            }
        }
    )*};
}

compile!(
    f32,
    f64,
    #[cfg(feature = "dual")]
    num_dual::Dual64
);

/// What takes long to compile: all that calls layers.
pub struct Compiled<T> {
    pub tasks: fn(&Plan, usize) -> Vec<Task<T>>,
    pub load: fn(&mut Network<T>, ArrayView4<'_, T>),
    pub logits: Logits<T>,
    pub evaluate: fn(&mut Network<T>, &[T], &[u16]) -> Evaluation,
    pub measure: fn(&mut Network<T>, &[T]) -> Vec<T>,
    pub backward: Backward<T>,
}

/// [`Network::forward_logits`].
type Logits<T> = for<'a> fn(&'a mut Network<T>, &[T], usize) -> (&'a [T], Layout);
/// [`Network::forward_backward`].
type Backward<T> = fn(&mut Network<T>, &[T], &mut [T], Pass, &mut Ready<'_, [T]>) -> Evaluation;

impl<T: Number> Compiled<T> {
    pub(crate) fn new() -> Self {
        Self {
            tasks: build::tasks,
            load: Network::load,
            logits: Network::forward_logits,
            evaluate: Network::forward_evaluate,
            measure: Network::forward_measure,
            backward: Network::forward_backward,
        }
    }
}
