//! Learning rates and radii as pure functions of the step.

use crate::Real;

/// How a rate falls after warm-up.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Decay<R> {
    /// Not at all.
    Constant,
    /// In a straight line from the peak to `floor` at the last step.
    Linear {
        /// Where it ends.
        floor: R,
    },
    /// Along half a cosine from the peak to `floor` (Loshchilov and Hutter, ICLR 2017, without restarts).
    Cosine {
        /// Where it ends.
        floor: R,
    },
    /// By `factor` after every `every` steps, counted from the end of warm-up.
    Step {
        /// Steps between two falls; 0 means never.
        every: u64,
        /// What the rate is multiplied by.
        factor: R,
    },
}

/// A rate that rises linearly to `peak` during warm-up and then decays.
///
/// A function of the step index and nothing else: there is no state to save, and a resumed run sees the rates
/// of the run that was never stopped. Fits radii as well as learning rates.
///
/// ```
/// use sam_core::schedule::Schedule;
///
/// let lr = Schedule::cosine(0.1f64).with_warmup(10);
/// assert_eq!(lr.rate(4, 110), 0.05);
/// assert_eq!(lr.rate(10, 110), 0.1);
/// assert!((lr.rate(60, 110) - 0.05).abs() < 1e-15);
/// assert_eq!(lr.rate(110, 110), 0.0);
/// ```
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Schedule<R> {
    /// The rate at the end of warm-up.
    pub peak: R,
    /// Steps of warm-up.
    pub warmup: u64,
    /// What follows.
    pub decay: Decay<R>,
}

impl<R: Real> Schedule<R> {
    /// From `peak` on by `decay`.
    pub const fn new(peak: R, decay: Decay<R>) -> Self {
        Self { peak, warmup: 0, decay }
    }

    /// Always `rate`.
    pub const fn constant(rate: R) -> Self {
        Self::new(rate, Decay::Constant)
    }

    /// Linear from `peak` to zero.
    pub const fn linear(peak: R) -> Self {
        Self::new(peak, Decay::Linear { floor: R::ZERO })
    }

    /// Half a cosine from `peak` to zero.
    pub const fn cosine(peak: R) -> Self {
        Self::new(peak, Decay::Cosine { floor: R::ZERO })
    }

    /// Times `factor` after every `every` steps.
    pub const fn step(peak: R, every: u64, factor: R) -> Self {
        Self::new(peak, Decay::Step { every, factor })
    }

    /// Rises linearly through `steps` steps before; step `i` of them has `peak * (i + 1) / steps`.
    #[must_use]
    pub const fn with_warmup(self, steps: u64) -> Self {
        Self { warmup: steps, ..self }
    }

    /// The rate of step `step` (from 0) out of `total`. Steps beyond `total` get the last rate.
    pub fn rate(&self, step: u64, total: u64) -> R {
        let peak = self.peak.widen();
        if step < self.warmup {
            return R::narrow(peak * ((step + 1) as f64 / self.warmup as f64));
        }
        let (done, span) = (step - self.warmup, total.saturating_sub(self.warmup));
        let progress = if done >= span { 1.0 } else { done as f64 / span as f64 };
        match self.decay {
            Decay::Constant => self.peak,
            Decay::Linear { floor } => R::narrow(between(floor.widen(), peak, 1.0 - progress)),
            Decay::Cosine { floor } => {
                let share = 0.5 * (1.0 + libm::cos(core::f64::consts::PI * progress));
                R::narrow(between(floor.widen(), peak, share))
            }
            Decay::Step { every, factor } => {
                let falls = done.min(span.saturating_sub(1)).checked_div(every).unwrap_or(0);
                R::narrow(peak * libm::pow(factor.widen(), falls as f64))
            }
        }
    }
}

/// A radius that follows the learning rate (GSAM, Zhuang et al., ICLR 2022): `radius.0` at the rate `rate.0`,
/// `radius.1` at `rate.1`, linear between and beyond. If both rates are the same it is `radius.1`.
pub fn tied<R: Real>(now: R, rate: (R, R), radius: (R, R)) -> R {
    let span = rate.1.widen() - rate.0.widen();
    let share = if span == 0.0 { 1.0 } else { (now.widen() - rate.0.widen()) / span };
    R::narrow(between(radius.0.widen(), radius.1.widen(), share))
}

/// `low` at 0, `high` at 1, both exactly.
fn between(low: f64, high: f64, share: f64) -> f64 {
    low * (1.0 - share) + high * share
}
