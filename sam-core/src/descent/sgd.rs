//! Stochastic gradient descent.

mod update;

pub use update::SgdUpdate;

use core::marker::PhantomData;

use super::{LearningRate, Momentum};
use crate::{Descent, InvalidSetting, LengthMismatch, Real, WeightDecay, state::state};

/// SGD with momentum, Nesterov momentum and weight decay; the arithmetic of `torch.optim.SGD` (dampening 0):
///
/// ```text
/// g = g + decay * w             (coupled decay)
/// m = momentum * m + g
/// d = g + momentum * m          (Nesterov)   or   d = m
/// w = w - lr * d
/// ```
///
/// Gradients: none of its own. Memory: one word a weight for the momentum, in a lent buffer; none without
/// momentum. Traffic: 3 reads and 2 writes a weight with momentum, 2 reads and 1 write without.
///
/// `lr = 0` leaves every bit of `w` as it is; the momentum still takes the gradient in.
#[derive(Clone, Debug)]
pub struct Sgd<T, B = [T; 0]> {
    /// Learning rate.
    pub lr: T,
    /// Share of the momentum that stays, 0 to 1. 0 needs no buffer.
    pub momentum: T,
    /// Looks one momentum step ahead.
    pub nesterov: bool,
    /// Pull towards zero.
    pub decay: WeightDecay<T>,
    buffer: B,
    element: PhantomData<T>,
}

impl<T: Real> Sgd<T> {
    /// Plain gradient descent.
    pub const fn new(lr: T) -> Self {
        Self {
            lr,
            momentum: T::ZERO,
            nesterov: false,
            decay: WeightDecay::Coupled(T::ZERO),
            buffer: [],
            element: PhantomData,
        }
    }
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> Sgd<T, B> {
    /// Adds momentum, which starts at zero in `buffer`, as long as the parameters.
    #[must_use]
    pub fn with_momentum<C: AsRef<[T]> + AsMut<[T]>>(self, momentum: T, mut buffer: C) -> Sgd<T, C> {
        buffer.as_mut().iter_mut().for_each(|m| *m = T::ZERO);
        let Self { lr, nesterov, decay, .. } = self;
        Sgd { lr, momentum, nesterov, decay, buffer, element: PhantomData }
    }

    /// Makes the momentum Nesterov's.
    #[must_use]
    pub fn with_nesterov(self) -> Self {
        Self { nesterov: true, ..self }
    }

    /// Adds weight decay.
    #[must_use]
    pub fn with_decay(self, decay: WeightDecay<T>) -> Self {
        Self { decay, ..self }
    }

    /// Words of buffer that `weights` parameters need.
    pub const fn words(weights: usize) -> usize {
        weights
    }

    /// The momentum: all the state there is, for a checkpoint to save.
    pub fn momentum_buffer(&self) -> &[T] {
        self.buffer.as_ref()
    }

    /// The momentum, for a checkpoint to restore.
    pub fn momentum_buffer_mut(&mut self) -> &mut [T] {
        self.buffer.as_mut()
    }

    /// The update and the momentum it changes (empty if there is none), for callers that share the parameters `w` out among
    /// threads.
    ///
    /// # Errors
    /// [`LengthMismatch`] of the gradient, or of the buffer if there is momentum.
    pub fn parts(&mut self, w: &[T], g: &[T]) -> Result<(SgdUpdate<T>, &mut [T]), LengthMismatch> {
        let Self { lr, momentum, nesterov, decay, .. } = *self;
        let update = SgdUpdate { lr, momentum, nesterov, decay };
        LengthMismatch::check("gradient", w.len(), g.len())?;
        if momentum == T::ZERO {
            return Ok((update, &mut []));
        }
        LengthMismatch::check("momentum buffer", w.len(), self.buffer.as_ref().len())?;
        Ok((update, self.buffer.as_mut()))
    }
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> Descent<[T]> for Sgd<T, B> {
    type Error = LengthMismatch;

    /// # Errors
    /// [`LengthMismatch`] of the gradient, or of the buffer if there is momentum.
    fn descend(&mut self, w: &mut [T], g: &mut [T]) -> Result<(), LengthMismatch> {
        let (update, m) = self.parts(w, g)?;
        update.apply(w, g, m);
        Ok(())
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::non_negative("lr", self.lr)?;
        InvalidSetting::share("momentum", self.momentum)?;
        self.decay.check_settings()
    }
}

impl<T: Real, B> LearningRate<T> for Sgd<T, B> {
    fn learning_rate(&self) -> T {
        self.lr
    }

    fn set_learning_rate(&mut self, rate: T) {
        self.lr = rate;
    }
}

impl<T: Real, B: AsRef<[T]>> Momentum<[T]> for Sgd<T, B> {
    fn momentum(&self) -> &[T] {
        self.buffer.as_ref()
    }
}

state! {
    impl[T, B: AsRef<[T]> + AsMut<[T]>] Sgd<T, B> {
        "momentum": reals(buffer),
    }
}
