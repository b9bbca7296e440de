//! `eps-hat`, given the norm.

use super::norm::DualNorm;
use super::range::{Range, power_of_quotient, scaled_product};
use super::scale::{exponent, power_of_two};
use crate::{Norm, Real, Rule, Verdict};

/// The perturbation as a function of one coordinate: eq. 2 with everything that all coordinates share worked
/// out.
///
/// Variants may be matched by a backend that runs the formula elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Ascent<R> {
    /// `eps = 0`: the radius is zero, or the gradient is zero or not finite.
    Stay,
    /// `eps = (g * unit) * factor`. SAM, `p = 2`: two factors, so that neither over- nor underflows.
    Along {
        /// A power of two near the inverse norm, or near a large radius over it.
        unit: R,
        /// What remains of `rho / ||g||`.
        factor: R,
    },
    /// `eps = t * (((g * t) * unit) * factor)` in `f64`, with `t = |w| + eta`. ASAM, `p = 2`.
    AlongScaled {
        /// Added to `|w|`.
        eta: f64,
        /// A power of two near the inverse norm, or near a large radius over it.
        unit: f64,
        /// What remains of `rho / ||T g||`.
        factor: f64,
    },
    #[cfg(feature = "norms")]
    /// `eps = radius * t * sign(g)`, with `t = 1` or `|w| + eta`. `p = inf`.
    Sign {
        /// `rho`.
        radius: R,
        /// Added to `|w|`; `None` for `t = 1`.
        eta: Option<R>,
    },
    #[cfg(feature = "norms")]
    /// `eps = radius * t * sign(g)` in one coordinate. `p = 1`.
    Single {
        /// `rho`.
        radius: R,
        /// Added to `|w|`; `None` for `t = 1`.
        eta: Option<R>,
        /// That coordinate, counted through the whole parameter vector.
        index: usize,
    },
    /// `eps = t * sign(g) * (factor * (t |g| / (peak 2^shift))^exponent)` in `f64`. Other `p`, and ASAM of `f64` where
    /// products leave its range.
    Power {
        /// Added to `|w|`; `None` for `t = 1`.
        eta: Option<f64>,
        /// The largest `t |g|`, or the norm for `p = 2`.
        peak: f64,
        /// A power of two that belongs to `peak`; 0 unless products leave the range of `f64`.
        shift: i32,
        /// `q - 1`.
        exponent: f64,
        /// `rho / (sum (x / peak)^q)^(1/p)`.
        factor: f64,
    },
}

impl<R: Real> Ascent<R> {
    /// The perturbation of `rule` for a gradient with the given norm.
    pub fn new(rule: &Rule<R>, norm: &DualNorm) -> Self {
        if rule.rho == R::ZERO || norm.verdict() != Verdict::Finite {
            return Self::Stay;
        }
        let radius = rule.rho;
        match rule.norm {
            Norm::L2 if norm.range.of::<R>() != Range::Ordinary => Self::Power {
                eta: rule.eta().map(Real::widen),
                peak: norm.scale * norm.scaled,
                shift: norm.range.shift(),
                exponent: 1.0,
                factor: radius.widen(),
            },
            Norm::L2 => match rule.eta() {
                None => {
                    let (unit, factor) = split(radius, norm, R::MAX_UNIT_EXPONENT);
                    Self::Along { unit: R::narrow(unit), factor: R::narrow(factor) }
                }
                Some(eta) => {
                    let (unit, factor) = split(radius, norm, f64::MAX_UNIT_EXPONENT);
                    Self::AlongScaled { eta: eta.widen(), unit, factor }
                }
            },
            #[cfg(feature = "norms")]
            Norm::LInf => Self::Sign { radius, eta: rule.eta() },
            #[cfg(feature = "norms")]
            Norm::L1 => Self::Single { radius, eta: rule.eta(), index: norm.peak_at },
            #[cfg(feature = "norms")]
            Norm::Lp { q, .. } => Self::Power {
                eta: rule.eta().map(Real::widen),
                peak: norm.scale,
                shift: norm.range.shift(),
                exponent: q - 1.0,
                factor: radius.widen() / norm.divisor,
            },
        }
    }

    /// `eps` of one coordinate; `index` counts through the whole parameter vector.
    #[must_use]
    #[cfg_attr(not(feature = "norms"), expect(unused_variables, reason = "only p = 1 looks where it is"))]
    pub fn eps(&self, index: usize, w: R, g: R) -> R {
        match *self {
            Self::Stay => R::ZERO,
            Self::Along { unit, factor } => along(g, unit, factor),
            Self::AlongScaled { eta, unit, factor } => along_scaled(w, g, eta, unit, factor),
            #[cfg(feature = "norms")]
            Self::Sign { radius, eta } => signed(w, g, radius, eta),
            #[cfg(feature = "norms")]
            Self::Single { radius, eta, index: at } if index == at => signed(w, g, radius, eta),
            #[cfg(feature = "norms")]
            Self::Single { .. } => R::ZERO,
            Self::Power { eta, peak, shift, exponent, factor } => {
                power(w, g, eta, peak, shift, exponent, factor)
            }
        }
    }

    /// `out = w + eps`. Slices of one length, which start at `offset` of the whole parameter vector.
    ///
    /// Two reads and one write a weight.
    #[cfg_attr(not(feature = "norms"), expect(unused_variables, reason = "only p = 1 looks where it is"))]
    pub fn write(&self, offset: usize, w: &[R], g: &[R], out: &mut [R]) {
        let entries = out.iter_mut().zip(w.iter().zip(g));
        match *self {
            // Not `w + 0`, which would turn -0 into 0.
            Self::Stay => entries.for_each(|(out, (w, _))| *out = *w),
            Self::Along { unit, factor } => {
                entries.for_each(|(out, (w, g))| *out = *w + along(*g, unit, factor));
            }
            Self::AlongScaled { eta, unit, factor } => {
                entries.for_each(|(out, (w, g))| *out = *w + along_scaled(*w, *g, eta, unit, factor));
            }
            #[cfg(feature = "norms")]
            Self::Sign { radius, eta } => {
                entries.for_each(|(out, (w, g))| *out = *w + signed(*w, *g, radius, eta));
            }
            #[cfg(feature = "norms")]
            Self::Single { radius, eta, index } => entries.enumerate().for_each(|(i, (out, (w, g)))| {
                *out = if index.wrapping_sub(offset) == i { *w + signed(*w, *g, radius, eta) } else { *w };
            }),
            Self::Power { eta, peak, shift, exponent, factor } => {
                entries
                    .for_each(|(out, (w, g))| *out = *w + power(*w, *g, eta, peak, shift, exponent, factor));
            }
        }
    }
}

/// `rho / norm` as a power of two times a rest, both representable where the power's exponent is at most
/// `limit`.
fn split<R: Real>(rho: R, norm: &DualNorm, limit: i32) -> (f64, f64) {
    let k = exponent(norm.scale).saturating_add(exponent(norm.scaled));
    // What vanishes beside the norm may be much beside the norm over a large radius. The norm is below 2^(k + 2).
    let large = exponent(rho.widen()).saturating_sub(2).max(0);
    let unit = power_of_two((large - k).clamp(-limit, limit));
    (unit, rho.widen() / (norm.scaled * (norm.scale * unit)))
}

#[inline(always)]
fn along<R: Real>(g: R, unit: R, factor: R) -> R {
    (g * unit) * factor
}

#[inline(always)]
fn along_scaled<R: Real>(w: R, g: R, eta: f64, unit: f64, factor: f64) -> R {
    let t = w.abs().widen() + eta;
    // First what the norm is made of, which is finite: the gradient times the unit need not be.
    R::narrow(t * (scaled_product::<R>(t, g.widen(), unit) * factor))
}

#[cfg(feature = "norms")]
#[inline(always)]
fn signed<R: Real>(w: R, g: R, radius: R, eta: Option<R>) -> R {
    match eta {
        None => radius * g.sign(),
        // The sign first: where it is 0, a product that overflows must not become NaN.
        Some(eta) => radius * ((w.abs() + eta) * g.sign()),
    }
}

#[inline(always)]
fn power<R: Real>(w: R, g: R, eta: Option<f64>, peak: f64, shift: i32, exponent: f64, factor: f64) -> R {
    let t = eta.map_or(1.0, |eta| w.abs().widen() + eta);
    let size = factor * power_of_quotient::<R>(t, g.abs().widen(), peak, shift, exponent);
    R::narrow(t * (g.sign().widen() * size))
}
