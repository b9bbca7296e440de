//! Lion.

use core::marker::PhantomData;

use super::{LearningRate, Momentum};
use crate::{Descent, InvalidSetting, LengthMismatch, Real, state::state};

/// Lion (Chen et al., NeurIPS 2023), whose step has one size in every coordinate:
///
/// ```text
/// w = w * (1 - lr * decay) - lr * sign(beta1 * m + (1 - beta1) * g)        sign(0) = 0
/// m = beta2 * m + (1 - beta2) * g
/// ```
///
/// Memory: one word a weight. Traffic: 3 reads, 2 writes a weight. `lr = 0` leaves every bit of `w` as it is.
#[derive(Clone, Debug)]
pub struct Lion<T, B> {
    /// Learning rate; its paper uses a third to a tenth of AdamW's.
    pub lr: T,
    /// Share of the momentum in the step's direction.
    pub beta1: T,
    /// Share of the momentum that stays.
    pub beta2: T,
    /// Decoupled weight decay.
    pub decay: T,
    buffer: B,
    element: PhantomData<T>,
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> Lion<T, B> {
    /// Lion with its paper's `beta1 = 0.9, beta2 = 0.99`; the buffer is as long as the parameters and is set
    /// to zero.
    pub fn new(lr: T, decay: T, mut buffer: B) -> Self {
        buffer.as_mut().iter_mut().for_each(|m| *m = T::ZERO);
        Self { lr, beta1: T::narrow(0.9), beta2: T::narrow(0.99), decay, buffer, element: PhantomData }
    }

    /// Words of buffer that `weights` parameters need.
    pub const fn words(weights: usize) -> usize {
        weights
    }
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> Descent<[T]> for Lion<T, B> {
    type Error = LengthMismatch;

    /// # Errors
    /// [`LengthMismatch`] of the gradient or the buffer.
    fn descend(&mut self, w: &mut [T], g: &mut [T]) -> Result<(), LengthMismatch> {
        let buffer = self.buffer.as_mut();
        LengthMismatch::check("gradient", w.len(), g.len())?;
        LengthMismatch::check("momentum buffer", w.len(), buffer.len())?;
        let Self { lr, beta1, beta2, decay, .. } = *self;
        let (keep, still) = (T::ONE - lr * decay, lr == T::ZERO);
        for ((w, g), m) in w.iter_mut().zip(g).zip(buffer) {
            let direction = beta1 * *m + (T::ONE - beta1) * *g;
            *w = if still { *w } else { keep * *w - lr * direction.sign() };
            *m = beta2 * *m + (T::ONE - beta2) * *g;
        }
        Ok(())
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::non_negative("lr", self.lr)?;
        InvalidSetting::share("beta1", self.beta1)?;
        InvalidSetting::share("beta2", self.beta2)?;
        InvalidSetting::non_negative("decay", self.decay)
    }
}

impl<T: Real, B> LearningRate<T> for Lion<T, B> {
    fn learning_rate(&self) -> T {
        self.lr
    }

    fn set_learning_rate(&mut self, rate: T) {
        self.lr = rate;
    }
}

impl<T: Real, B: AsRef<[T]>> Momentum<[T]> for Lion<T, B> {
    fn momentum(&self) -> &[T] {
        self.buffer.as_ref()
    }
}

state! {
    impl[T, B: AsRef<[T]> + AsMut<[T]>] Lion<T, B> {
        "lion.momentum": reals(buffer),
    }
}
