//! The base optimizer of bSAM.

use core::marker::PhantomData;

use super::{LearningRate, Momentum, Precision};
use crate::{Descent, InvalidSetting, LengthMismatch, Real, state::state};

/// A variational Newton method: the base optimizer of bSAM (Möllenhoff and Khan, ICLR 2023, and their code). Besides the weights,
/// the mean of a Gaussian posterior, it learns its precision `s`, which is the inverse variance of a weight up to the number of
/// samples:
///
/// ```text
/// m = beta1 * m + (1 - beta1) * (g + decay * w)
/// w = w - lr * m / s
/// s = beta2 * s + (1 - beta2) * (sqrt(s) * |clean| + damping + decay)
/// ```
///
/// `clean` is the gradient at the noisy weights, or `g` itself where the caller has but one. Memory: two words a weight.
/// Traffic: 5 reads, 3 writes a weight. `lr = 0` leaves every bit of `w` as it is.
#[derive(Clone, Debug)]
pub struct VariationalNewton<T, B> {
    /// Learning rate.
    pub lr: T,
    /// Share of the mean gradient that stays.
    pub beta1: T,
    /// Share of the precision that stays.
    pub beta2: T,
    /// Precision of the prior, a coupled weight decay.
    pub decay: T,
    /// Added to the precision besides: bounds the step where gradients vanish.
    pub damping: T,
    start: T,
    mean: B,
    precision: B,
    element: PhantomData<T>,
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> VariationalNewton<T, B> {
    /// `beta1 = 0.9, beta2 = 0.999, damping = 0.1`, no decay, a precision of 1 to start from; both buffers are as long as the
    /// parameters and are set.
    pub fn new(lr: T, mut mean: B, mut precision: B) -> Self {
        mean.as_mut().iter_mut().for_each(|m| *m = T::ZERO);
        precision.as_mut().iter_mut().for_each(|s| *s = T::ONE);
        Self {
            lr,
            beta1: T::narrow(0.9),
            beta2: T::narrow(0.999),
            decay: T::ZERO,
            damping: T::narrow(0.1),
            start: T::ONE,
            mean,
            precision,
            element: PhantomData,
        }
    }

    /// With another prior.
    #[must_use]
    pub fn with_decay(self, decay: T) -> Self {
        Self { decay, ..self }
    }

    /// With another damping.
    #[must_use]
    pub fn with_damping(self, damping: T) -> Self {
        Self { damping, ..self }
    }

    /// Starts from another precision, above 0.
    #[must_use]
    pub fn with_start(mut self, start: T) -> Self {
        self.start = start;
        self.precision.as_mut().iter_mut().for_each(|s| *s = start);
        self
    }

    /// Words of buffer that `weights` parameters need.
    pub const fn words(weights: usize) -> usize {
        2 * weights
    }

    fn update(&mut self, w: &mut [T], g: &[T], clean: &[T]) -> Result<(), LengthMismatch> {
        let (mean, precision) = (self.mean.as_mut(), self.precision.as_mut());
        LengthMismatch::check("gradient", w.len(), g.len())?;
        LengthMismatch::check("clean gradient", w.len(), clean.len())?;
        LengthMismatch::check("buffer for the mean gradient", w.len(), mean.len())?;
        LengthMismatch::check("buffer for the precision", w.len(), precision.len())?;
        let (beta1, beta2, lr) = (self.beta1, self.beta2, self.lr);
        let (decay, floor) = (self.decay, self.damping + self.decay);
        let still = lr == T::ZERO;
        let gradients = g.iter().zip(clean);
        for ((w, (g, clean)), (m, s)) in w.iter_mut().zip(gradients).zip(mean.iter_mut().zip(precision)) {
            *m = beta1 * *m + (T::ONE - beta1) * (*g + decay * *w);
            let moved = *w - lr * *m / *s;
            *w = if still { *w } else { moved };
            *s = beta2 * *s + (T::ONE - beta2) * (s.sqrt() * clean.abs() + floor);
        }
        Ok(())
    }
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> Descent<[T]> for VariationalNewton<T, B> {
    type Error = LengthMismatch;

    /// # Errors
    /// [`LengthMismatch`] of the gradient or a buffer.
    fn descend(&mut self, w: &mut [T], g: &mut [T]) -> Result<(), LengthMismatch> {
        self.update(w, g, g)
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::non_negative("lr", self.lr)?;
        InvalidSetting::share("beta1", self.beta1)?;
        InvalidSetting::share("beta2", self.beta2)?;
        InvalidSetting::non_negative("decay", self.decay)?;
        // The precision stays above 0, since it moves from one positive number towards others.
        InvalidSetting::positive("damping", self.damping)?;
        InvalidSetting::positive("start", self.start)
    }
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> Precision<[T]> for VariationalNewton<T, B> {
    fn precision(&self) -> &[T] {
        self.precision.as_ref()
    }

    fn descend_apart(&mut self, w: &mut [T], g: &mut [T], clean: &[T]) -> Result<(), LengthMismatch> {
        self.update(w, g, clean)
    }
}

impl<T: Real, B> LearningRate<T> for VariationalNewton<T, B> {
    fn learning_rate(&self) -> T {
        self.lr
    }

    fn set_learning_rate(&mut self, rate: T) {
        self.lr = rate;
    }
}

impl<T: Real, B: AsRef<[T]>> Momentum<[T]> for VariationalNewton<T, B> {
    fn momentum(&self) -> &[T] {
        self.mean.as_ref()
    }
}

state! {
    impl[T, B: AsRef<[T]> + AsMut<[T]>] VariationalNewton<T, B> {
        "variational.mean": reals(mean),
        "variational.precision": reals(precision),
    }
}
