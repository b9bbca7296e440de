//! RMSProp.

use core::marker::PhantomData;

use super::{LearningRate, Momentum};
use crate::{Descent, InvalidSetting, LengthMismatch, Real, state::state};

/// RMSProp with momentum (Hinton et al., 2012), by the arithmetic of `torch.optim.RMSprop`:
///
/// ```text
/// g = g + decay * w
/// v = alpha * v + (1 - alpha) * g^2
/// m = momentum * m + g / (sqrt(v) + epsilon)
/// w = w - lr * m
/// ```
///
/// [`RmsProp::tensorflow`] begins with `v = 1` and adds `epsilon` inside of the root, as TensorFlow 1 does, and as
/// EfficientNets are trained, by the code of SAM's paper too:
///
/// ```text
/// m = momentum * m + g / sqrt(v + epsilon)
/// ```
///
/// Memory: two words a weight. Traffic: 4 reads, 3 writes a weight. `lr = 0` leaves every bit of `w` as it
/// is.
#[derive(Clone, Debug)]
pub struct RmsProp<T, B> {
    /// Learning rate.
    pub lr: T,
    /// Share of the mean squared gradient that stays.
    pub alpha: T,
    /// Share of the momentum that stays.
    pub momentum: T,
    /// Added to the root, or inside of it.
    pub epsilon: T,
    /// Whether `epsilon` is added to `v` before the root is taken.
    pub epsilon_inside: bool,
    /// Coupled weight decay.
    pub decay: T,
    square: B,
    velocity: B,
    element: PhantomData<T>,
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> RmsProp<T, B> {
    /// `alpha = 0.9, momentum = 0.9, epsilon = 1e-8`, no decay; both buffers are as long as the parameters
    /// and are set to zero.
    pub fn new(lr: T, mut square: B, mut velocity: B) -> Self {
        square.as_mut().iter_mut().chain(velocity.as_mut()).for_each(|x| *x = T::ZERO);
        Self {
            lr,
            alpha: T::narrow(0.9),
            momentum: T::narrow(0.9),
            epsilon: T::narrow(1e-8),
            epsilon_inside: false,
            decay: T::ZERO,
            square,
            velocity,
            element: PhantomData,
        }
    }

    /// TensorFlow's form, with what EfficientNets are trained with: `alpha = 0.9, momentum = 0.9, epsilon = 0.001`
    /// inside of the root, no decay; the buffer of the mean square is set to one. The first steps are short where
    /// [`RmsProp::new`] has its longest, since the mean square comes down from 1 instead of up from 0.
    pub fn tensorflow(lr: T, square: B, velocity: B) -> Self {
        let mut new = Self::new(lr, square, velocity);
        new.square.as_mut().iter_mut().for_each(|v| *v = T::ONE);
        Self { epsilon: T::narrow(1e-3), epsilon_inside: true, ..new }
    }

    /// Words of buffer that `weights` parameters need.
    pub const fn words(weights: usize) -> usize {
        2 * weights
    }
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> Descent<[T]> for RmsProp<T, B> {
    type Error = LengthMismatch;

    /// # Errors
    /// [`LengthMismatch`] of the gradient or a buffer.
    fn descend(&mut self, w: &mut [T], g: &mut [T]) -> Result<(), LengthMismatch> {
        let (square, velocity) = (self.square.as_mut(), self.velocity.as_mut());
        LengthMismatch::check("gradient", w.len(), g.len())?;
        LengthMismatch::check("buffer for the mean squared gradient", w.len(), square.len())?;
        LengthMismatch::check("momentum buffer", w.len(), velocity.len())?;
        let Self { lr, alpha, momentum, epsilon, epsilon_inside, decay, .. } = *self;
        let (inside, outside) = if epsilon_inside { (epsilon, T::ZERO) } else { (T::ZERO, epsilon) };
        let still = lr == T::ZERO;
        for ((w, g), (v, m)) in w.iter_mut().zip(g).zip(square.iter_mut().zip(velocity)) {
            let g = *g + decay * *w;
            *v = alpha * *v + (T::ONE - alpha) * (g * g);
            *m = momentum * *m + g / ((*v + inside).sqrt() + outside);
            *w = if still { *w } else { *w - lr * *m };
        }
        Ok(())
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::non_negative("lr", self.lr)?;
        InvalidSetting::share("alpha", self.alpha)?;
        InvalidSetting::share("momentum", self.momentum)?;
        InvalidSetting::non_negative("epsilon", self.epsilon)?;
        InvalidSetting::non_negative("decay", self.decay)
    }
}

impl<T: Real, B> LearningRate<T> for RmsProp<T, B> {
    fn learning_rate(&self) -> T {
        self.lr
    }

    fn set_learning_rate(&mut self, rate: T) {
        self.lr = rate;
    }
}

impl<T: Real, B: AsRef<[T]>> Momentum<[T]> for RmsProp<T, B> {
    fn momentum(&self) -> &[T] {
        self.velocity.as_ref()
    }
}

state! {
    impl[T, B: AsRef<[T]> + AsMut<[T]>] RmsProp<T, B> {
        "rmsprop.square": reals(square),
        "rmsprop.momentum": reals(velocity),
    }
}
