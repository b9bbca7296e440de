//! Projection onto the ball of the perturbation.

use super::scale::{exponent, power_of_two};
use crate::{Norm, Real, Rule};

/// Replaces `eps` by the nearest point of the ball `||T^-1 eps||_p <= rho`, nearest in the Euclidean distance
/// of `T^-1 eps`. A point inside stays as it is, bit for bit.
///
/// `p = 2` scales and `p = inf` clamps, in one read and one write an entry. `p = 1` subtracts a threshold
/// from every size (Michelot, 1986), usually found in a handful of reads. Other `p` solve one equation an
/// entry inside one for the multiplier: some ten thousand operations an entry.
pub fn project<R: Real>(rule: &Rule<R>, w: &[R], eps: &mut [R]) {
    let rho = rule.rho.abs().widen();
    if rho == 0.0 {
        eps.iter_mut().for_each(|e| *e = R::ZERO);
        return;
    }
    let t = |w: &R| rule.eta().map_or(1.0, |eta| w.abs().widen() + eta.widen());
    // The size of an entry in the metric of the ball; nothing moves where T is 0.
    let size = |w: &R, eps: &R| if t(w) > 0.0 { eps.abs().widen() / t(w) } else { 0.0 };
    let largest = w.iter().zip(eps.iter()).map(|(w, e)| size(w, e)).fold(0.0, f64::max);
    if !(largest > 0.0 && largest.is_finite()) {
        return;
    }
    // Sizes are scaled by a power of two so that their squares stay in range; or by the radius, for higher powers.
    let unit = power_of_two(-exponent(largest));
    let unit = match rule.norm {
        #[cfg(feature = "norms")]
        Norm::Lp { p, .. } if rho.is_normal() && !libm::pow(rho * unit, p).is_normal() => 1.0 / rho,
        _ => unit,
    };
    let (rho, sizes) = (rho * unit, || w.iter().zip(eps.iter()).map(|(w, e)| size(w, e) * unit));
    match rule.norm {
        #[cfg(feature = "norms")]
        Norm::LInf => {
            if largest * unit > rho {
                set(w, eps, |s| if s > rho { rho } else { s }, size, t, unit);
            }
        }
        Norm::L2 => {
            let length = libm::sqrt(sizes().map(|s| s * s).sum());
            if length > rho {
                let shrink = rho / length;
                eps.iter_mut().for_each(|e| *e = R::narrow(e.widen() * shrink));
            }
        }
        #[cfg(feature = "norms")]
        Norm::L1 => {
            if sizes().sum::<f64>() > rho {
                // Below the largest, so that nothing is lost where the radius is much smaller than the sizes.
                let top = largest * unit;
                let below = threshold(rho, &|| sizes().map(|s| s - top));
                set(w, eps, |s| if s - top > below { s - top - below } else { 0.0 }, size, t, unit);
            }
        }
        #[cfg(feature = "norms")]
        Norm::Lp { p, .. } => {
            if sizes().map(|s| libm::pow(s, p)).sum::<f64>() > libm::pow(rho, p) {
                let multiplier = multiplier(rho, p, &sizes);
                set(w, eps, |s| shrunk(s, multiplier, p), size, t, unit);
            }
        }
    }
}

#[cfg(feature = "norms")]
/// Gives every entry the size that `shrink` makes of its scaled one.
fn set<R: Real>(
    w: &[R],
    eps: &mut [R],
    shrink: impl Fn(f64) -> f64,
    size: impl Fn(&R, &R) -> f64,
    t: impl Fn(&R) -> f64,
    unit: f64,
) {
    for (w, e) in w.iter().zip(eps) {
        *e = R::narrow(e.sign().widen() * (shrink(size(w, e) * unit) / unit * t(w)));
    }
}

#[cfg(feature = "norms")]
/// `tau` with `sum max(s - tau, 0) = rho`: the mean excess of the entries above it, found from below.
fn threshold<I: Iterator<Item = f64>>(rho: f64, sizes: &impl Fn() -> I) -> f64 {
    let (mut tau, mut count) = (f64::NEG_INFINITY, usize::MAX);
    loop {
        let (sum, above) =
            sizes().filter(|s| *s > tau).fold((0.0, 0usize), |(sum, n), s| (sum + s, n.saturating_add(1)));
        // Each round leaves fewer entries above, until none goes.
        if above == 0 || above >= count {
            return tau;
        }
        (tau, count) = ((sum - rho) / above as f64, above);
    }
}

#[cfg(feature = "norms")]
/// `mu` with `sum x(mu)^p = rho^p`, by bisection: the sum falls as `mu` grows.
fn multiplier<I: Iterator<Item = f64>>(rho: f64, p: f64, sizes: &impl Fn() -> I) -> f64 {
    let outside = |mu: f64| sizes().map(|s| libm::pow(shrunk(s, mu, p), p)).sum::<f64>() > libm::pow(rho, p);
    let (mut low, mut high) = (0.0, 1.0);
    while outside(high) && high < f64::MAX / 2.0 {
        (low, high) = (high, high * 2.0);
    }
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return high;
        }
        if outside(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(feature = "norms")]
/// The root of `x + mu x^(p-1) = s` in `[0, s]`, by Newton's method. Where `p < 2` the unknown is
/// `y = x^(p-1)`. Either way the function is convex and rises, so that the iteration falls from an upper bound to
/// the root.
fn shrunk(s: f64, mu: f64, p: f64) -> f64 {
    if s == 0.0 {
        return 0.0;
    }
    let (e, direct) = if p >= 2.0 { (p - 1.0, true) } else { (1.0 / (p - 1.0), false) };
    let (a, b) = if direct { (1.0, mu) } else { (mu, 1.0) };
    let value = |x: f64| a * x + b * libm::pow(x, e) - s;
    let slope = |x: f64| a + b * e * libm::pow(x, e - 1.0);
    // Neither term alone exceeds s: the smaller of both bounds.
    let mut x = if a > 0.0 { s / a } else { s };
    let bound = if b > 0.0 { libm::pow(s / b, 1.0 / e) } else { x };
    if bound < x {
        x = bound;
    }
    for _ in 0..200 {
        let next = x - value(x) / slope(x);
        if next >= x || next <= 0.0 {
            break;
        }
        x = next;
    }
    if direct { x } else { libm::pow(x, e) }
}
