//! Adam and AdamW.

use core::marker::PhantomData;

use super::{LearningRate, Momentum};
use crate::{Descent, InvalidSetting, LengthMismatch, Real, WeightDecay, state::state};

/// Adam (Kingma and Ba, ICLR 2015) with coupled weight decay, AdamW (Loshchilov and Hutter, ICLR 2019) with
/// decoupled:
///
/// ```text
/// g = g + decay * w                     (coupled)    or    w = w * (1 - lr * decay)    (decoupled)
/// m = beta1 * m + (1 - beta1) * g
/// v = beta2 * v + (1 - beta2) * g^2
/// w = w - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
/// ```
///
/// The order of operations is `torch.optim.Adam`'s. Memory: two words a weight. Traffic: 4 reads, 3 writes a
/// weight. `lr = 0` leaves every bit of `w` as it is.
#[derive(Clone, Debug)]
pub struct Adam<T, B> {
    /// Learning rate.
    pub lr: T,
    /// Share of the mean gradient that stays.
    pub beta1: T,
    /// Share of the mean squared gradient that stays.
    pub beta2: T,
    /// Added to the root: bounds the step where gradients vanish.
    pub epsilon: T,
    /// Pull towards zero.
    pub decay: WeightDecay<T>,
    steps: u64,
    mean: B,
    square: B,
    element: PhantomData<T>,
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> Adam<T, B> {
    /// Adam with its paper's `beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8`; both buffers are as long as the
    /// parameters and are set to zero.
    pub fn new(lr: T, mut mean: B, mut square: B) -> Self {
        mean.as_mut().iter_mut().chain(square.as_mut()).for_each(|x| *x = T::ZERO);
        Self {
            lr,
            beta1: T::narrow(0.9),
            beta2: T::narrow(0.999),
            epsilon: T::narrow(1e-8),
            decay: WeightDecay::Coupled(T::ZERO),
            steps: 0,
            mean,
            square,
            element: PhantomData,
        }
    }

    /// AdamW: Adam with decoupled decay.
    pub fn adamw(lr: T, decay: T, mean: B, square: B) -> Self {
        Self::new(lr, mean, square).with_decay(WeightDecay::Decoupled(decay))
    }

    /// Adds weight decay.
    #[must_use]
    pub fn with_decay(self, decay: WeightDecay<T>) -> Self {
        Self { decay, ..self }
    }

    /// Words of buffer that `weights` parameters need.
    pub const fn words(weights: usize) -> usize {
        2 * weights
    }
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> Descent<[T]> for Adam<T, B> {
    type Error = LengthMismatch;

    /// # Errors
    /// [`LengthMismatch`] of the gradient or a buffer.
    fn descend(&mut self, w: &mut [T], g: &mut [T]) -> Result<(), LengthMismatch> {
        let (mean, square) = (self.mean.as_mut(), self.square.as_mut());
        LengthMismatch::check("gradient", w.len(), g.len())?;
        LengthMismatch::check("buffer for the mean gradient", w.len(), mean.len())?;
        LengthMismatch::check("buffer for the mean squared gradient", w.len(), square.len())?;
        self.steps = self.steps.saturating_add(1);

        let (beta1, beta2, epsilon) = (self.beta1, self.beta2, self.epsilon);
        let t = self.steps as f64;
        let rate = T::narrow(self.lr.widen() / (1.0 - libm::pow(beta1.widen(), t)));
        let root = T::narrow(libm::sqrt(1.0 - libm::pow(beta2.widen(), t)));
        let coupled = self.decay.coupled();
        let keep = self.decay.kept(self.lr);
        let still = self.lr == T::ZERO;
        for ((w, g), (m, v)) in w.iter_mut().zip(g).zip(mean.iter_mut().zip(square)) {
            let g = *g + coupled * *w;
            *m = beta1 * *m + (T::ONE - beta1) * g;
            *v = beta2 * *v + (T::ONE - beta2) * (g * g);
            let moved = keep * *w - rate * (*m / (v.sqrt() / root + epsilon));
            *w = if still { *w } else { moved };
        }
        Ok(())
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::non_negative("lr", self.lr)?;
        InvalidSetting::below_one("beta1", self.beta1)?;
        InvalidSetting::below_one("beta2", self.beta2)?;
        InvalidSetting::non_negative("epsilon", self.epsilon)?;
        self.decay.check_settings()
    }
}

impl<T: Real, B> LearningRate<T> for Adam<T, B> {
    fn learning_rate(&self) -> T {
        self.lr
    }

    fn set_learning_rate(&mut self, rate: T) {
        self.lr = rate;
    }
}

impl<T: Real, B: AsRef<[T]>> Momentum<[T]> for Adam<T, B> {
    fn momentum(&self) -> &[T] {
        self.mean.as_ref()
    }
}

state! {
    impl[T, B: AsRef<[T]> + AsMut<[T]>] Adam<T, B> {
        "adam.steps": count(steps),
        "adam.mean": reals(mean),
        "adam.square": reals(square),
    }
}
