//! Base optimizers: what a step does with the sharpness-aware gradient.

pub mod adam;
pub mod clip;
pub mod lion;
pub mod rmsprop;
pub mod sgd;
pub mod variational;

use crate::{InvalidSetting, Real};

/// A base optimizer: SGD, Adam, a framework's own.
pub trait Descent<P: ?Sized, G: ?Sized = P> {
    /// What can go wrong.
    type Error: core::error::Error + 'static;

    /// Updates `params` in place along `grads`, which it may use as scratch space.
    ///
    /// `grads` is finite where the storage can tell on the host; see
    /// [`ParamSpace::check`](crate::ParamSpace::check).
    ///
    /// # Errors
    /// Whatever keeps the optimizer from stepping; it must then leave `params` and its own state as they
    /// were.
    fn descend(&mut self, params: &mut P, grads: &mut G) -> Result<(), Self::Error>;

    /// The hyper-parameters are in their ranges. Every step of a method asks; who descends without one asks when they are set.
    ///
    /// # Errors
    /// [`InvalidSetting`] of the first that is not.
    fn check_settings(&self) -> Result<(), InvalidSetting> {
        Ok(())
    }
}

impl<P: ?Sized, G: ?Sized, D: Descent<P, G> + ?Sized> Descent<P, G> for &mut D {
    type Error = D::Error;

    fn descend(&mut self, params: &mut P, grads: &mut G) -> Result<(), D::Error> {
        D::descend(self, params, grads)
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        D::check_settings(self)
    }
}

/// A base optimizer whose learning rate can be asked for and set; and a method, whose rate is its base optimizer's.
///
/// Object-safe: a schedule drives whatever is behind `&mut dyn LearningRate<f32>`.
pub trait LearningRate<R> {
    /// The rate of the next step.
    fn learning_rate(&self) -> R;

    /// Changes the rate of the steps to come.
    fn set_learning_rate(&mut self, rate: R);
}

impl<R, D: LearningRate<R> + ?Sized> LearningRate<R> for &mut D {
    fn learning_rate(&self) -> R {
        D::learning_rate(self)
    }

    fn set_learning_rate(&mut self, rate: R) {
        D::set_learning_rate(self, rate);
    }
}

/// Implements [`LearningRate`] for a type around a base optimizer.
macro_rules! learning_rate_of_base {
    (impl[$($bound:tt)*] $type:ty) => {
        impl<R, D: $crate::LearningRate<R>, $($bound)*> $crate::LearningRate<R> for $type {
            fn learning_rate(&self) -> R {
                self.base.learning_rate()
            }

            fn set_learning_rate(&mut self, rate: R) {
                self.base.set_learning_rate(rate);
            }
        }
    };
}

pub(crate) use learning_rate_of_base;

/// A base optimizer with a momentum, of the shape of a gradient.
pub trait Momentum<G: ?Sized> {
    /// The accumulated gradient; zero before the first step.
    fn momentum(&self) -> &G;
}

/// A base optimizer that learns how sure it is of each weight, which an ascent may read and the clean gradient may teach.
pub trait Precision<P: ?Sized, G: ?Sized = P>: Descent<P, G> {
    /// Precision (inverse variance) of each weight up to a common factor, above 0 and of the shape of a gradient.
    fn precision(&self) -> &G;

    /// [`Descent::descend`] along `grads`, learning the precision from `clean`.
    ///
    /// # Errors
    /// As [`Descent::descend`].
    fn descend_apart(&mut self, params: &mut P, grads: &mut G, clean: &G) -> Result<(), Self::Error>;
}

/// How weights are pulled towards zero.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum WeightDecay<R> {
    /// `g + decay * w` takes the place of `g`: decay passes through the momentum. This is the paper's
    /// `lambda ||w||^2` outside the ascent, with `decay = 2 lambda`.
    Coupled(R),
    /// `w * (1 - lr * decay)` takes the place of `w` (Loshchilov and Hutter, ICLR 2019).
    Decoupled(R),
}

impl<R: Real> WeightDecay<R> {
    /// The decay is finite and not negative.
    ///
    /// # Errors
    /// [`InvalidSetting`] if it is not.
    pub fn check_settings(&self) -> Result<(), InvalidSetting> {
        let (Self::Coupled(decay) | Self::Decoupled(decay)) = *self;
        InvalidSetting::non_negative("decay", decay)
    }

    /// Factor of `w` in the gradient.
    pub fn coupled(self) -> R {
        match self {
            Self::Coupled(decay) => decay,
            Self::Decoupled(_) => R::ZERO,
        }
    }

    /// Share of a weight that decoupled decay keeps; exactly 1 without it.
    pub fn kept(self, lr: R) -> R {
        match self {
            Self::Coupled(_) => R::ONE,
            Self::Decoupled(decay) => R::ONE - lr * decay,
        }
    }
}
