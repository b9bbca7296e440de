//! Stochastic gradient descent.

use core::marker::PhantomData;

use super::{LearningRate, Momentum};
use crate::{Descent, LengthMismatch, Real, WeightDecay, state::state};

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
}

impl<T: Real, B: AsRef<[T]> + AsMut<[T]>> Descent<[T]> for Sgd<T, B> {
    type Error = LengthMismatch;

    /// # Errors
    /// [`LengthMismatch`] of the gradient, or of the buffer if there is momentum.
    fn descend(&mut self, w: &mut [T], g: &mut [T]) -> Result<(), LengthMismatch> {
        LengthMismatch::check("gradient", w.len(), g.len())?;
        if self.momentum == T::ZERO {
            self.without_momentum(w, g);
            return Ok(());
        }
        LengthMismatch::check("momentum buffer", w.len(), self.buffer.as_ref().len())?;
        let (mu, lr, buffer) = (self.momentum, self.lr, self.buffer.as_mut());
        let entries = w.iter_mut().zip(g.iter().zip(buffer));
        // One loop for each formula: a choice inside the loop would keep it from vectorising.
        match (lr == T::ZERO, self.nesterov, self.decay) {
            (true, _, WeightDecay::Coupled(decay)) if decay != T::ZERO => {
                entries.for_each(|(w, (g, m))| *m = mu * *m + (*g + decay * *w));
            }
            (true, _, _) => entries.for_each(|(_, (g, m))| *m = mu * *m + *g),
            (_, nesterov, WeightDecay::Coupled(decay)) if decay != T::ZERO => match nesterov {
                false => entries.for_each(|(w, (g, m))| {
                    *m = mu * *m + (*g + decay * *w);
                    *w = minus(*w, lr * *m);
                }),
                true => entries.for_each(|(w, (g, m))| {
                    let g = *g + decay * *w;
                    *m = mu * *m + g;
                    *w = minus(*w, lr * (g + mu * *m));
                }),
            },
            (_, nesterov, decay) => {
                let keep = decay.kept(lr);
                match nesterov {
                    false => entries.for_each(|(w, (g, m))| {
                        *m = mu * *m + *g;
                        *w = minus(keep * *w, lr * *m);
                    }),
                    true => entries.for_each(|(w, (g, m))| {
                        *m = mu * *m + *g;
                        *w = minus(keep * *w, lr * (*g + mu * *m));
                    }),
                }
            }
        }
        Ok(())
    }
}

impl<T: Real, B> Sgd<T, B> {
    fn without_momentum(&self, w: &mut [T], g: &[T]) {
        let lr = self.lr;
        let entries = w.iter_mut().zip(g);
        match self.decay {
            _ if lr == T::ZERO => {}
            WeightDecay::Coupled(decay) if decay != T::ZERO => {
                entries.for_each(|(w, g)| *w = minus(*w, lr * (*g + decay * *w)));
            }
            decay => {
                let keep = decay.kept(lr);
                entries.for_each(|(w, g)| *w = minus(keep * *w, lr * *g));
            }
        }
    }
}

/// `w - step`, where a step of -0 does not turn -0 into 0: no gradient, no change.
#[inline(always)]
fn minus<T: Real>(w: T, step: T) -> T {
    if step == T::ZERO { w } else { w - step }
}

impl<T: Real, B> LearningRate<T> for Sgd<T, B> {
    fn learning_rate(&self) -> T {
        self.lr
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
