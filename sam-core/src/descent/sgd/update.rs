//! The arithmetic of SGD on any part of the parameters.

use crate::{Real, WeightDecay};

/// What [`Sgd`](crate::Sgd) does to a weight: it depends on that weight's gradient and momentum alone, so any thread may do
/// it to any part. See [`Sgd::parts`](crate::Sgd::parts).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdUpdate<T> {
    pub(super) lr: T,
    pub(super) momentum: T,
    pub(super) nesterov: bool,
    pub(super) decay: WeightDecay<T>,
}

impl<T: Real> SgdUpdate<T> {
    /// Updates a part of the parameters, whose gradient is `g` and whose momentum is `m`: as long as `w`, but `m` may be
    /// empty where there is no momentum. Surplus entries are left alone.
    pub fn apply(&self, w: &mut [T], g: &[T], m: &mut [T]) {
        if self.momentum == T::ZERO {
            self.without_momentum(w, g);
        } else {
            self.with_momentum(w, g, m);
        }
    }

    fn with_momentum(&self, w: &mut [T], g: &[T], m: &mut [T]) {
        let (mu, lr) = (self.momentum, self.lr);
        let entries = w.iter_mut().zip(g.iter().zip(m));
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
    }

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
