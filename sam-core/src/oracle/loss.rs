//! What a step must know of a loss.

/// The loss that an oracle returns with a gradient.
///
/// A gradient can be finite where the loss is not: at a probability of 0 a softmax's is. A step along it would move
/// the weights away from a point that means nothing, so every method asks this of every loss and then ends with
/// [`Outcome::NonFinite`](crate::Outcome::NonFinite).
///
/// There is no provided answer, so that nobody forgets it. A number is looked at; `()` says nothing; a type that
/// nobody can look at without waiting for a device answers `false`, and its oracle makes the gradient NaN where the
/// loss is. [`Unseen`] lets any type of another crate pass as such.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no loss",
    note = "a loss is a number, `()`, or a type that implements `Loss`; `Unseen(value)` makes a loss of any other"
)]
pub trait Loss {
    /// Whether it is known to be infinite or NaN.
    fn is_non_finite(&self) -> bool;
}

impl Loss for f32 {
    fn is_non_finite(&self) -> bool {
        !self.is_finite()
    }
}

impl Loss for f64 {
    fn is_non_finite(&self) -> bool {
        !self.is_finite()
    }
}

impl Loss for () {
    fn is_non_finite(&self) -> bool {
        false
    }
}

/// A loss that the core does not look at: a handle to a number on a device, another crate's tensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs, reason = "a value and nothing else")]
pub struct Unseen<L>(pub L);

impl<L> Loss for Unseen<L> {
    fn is_non_finite(&self) -> bool {
        false
    }
}
