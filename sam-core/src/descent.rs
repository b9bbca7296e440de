//! Base optimizers: what a step does with the sharpness-aware gradient.

pub mod sgd;

/// A base optimizer: SGD, Adam, a framework's own.
pub trait Descent<P: ?Sized, G: ?Sized = P> {
    /// What can go wrong.
    type Error;

    /// Updates `params` in place along `grads`, which it may use as scratch space.
    ///
    /// `grads` is finite where the storage can tell on the host; see [`ParamSpace::check`](crate::ParamSpace::check).
    ///
    /// # Errors
    /// Whatever keeps the optimizer from stepping; it must then leave `params` and its own state as they were.
    fn descend(&mut self, params: &mut P, grads: &mut G) -> Result<(), Self::Error>;
}

impl<P: ?Sized, G: ?Sized, D: Descent<P, G> + ?Sized> Descent<P, G> for &mut D {
    type Error = D::Error;

    fn descend(&mut self, params: &mut P, grads: &mut G) -> Result<(), D::Error> {
        D::descend(self, params, grads)
    }
}
