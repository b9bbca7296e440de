//! Quotients of dot products.

use super::accumulator::{BLOCK, LANES};
use super::norm::{DualNorm, dual_norm};
use super::scale::{exponent, power_of_two};
use crate::{Real, Rule, Verdict};

/// `a.b / b.b`; 0 if `b` is zero, NaN if an entry is not finite. Three reads an entry.
pub fn projection<R: Real>(a: &[R], b: &[R]) -> R {
    let (a_norm, b_norm) = (euclidean(a), euclidean(b));
    match (a_norm.verdict(), b_norm.verdict()) {
        (Verdict::NonFinite, _) | (_, Verdict::NonFinite) => return R::narrow(f64::NAN),
        (Verdict::Zero, _) | (_, Verdict::Zero) => return R::ZERO,
        _ => {}
    }
    let (a_unit, b_unit) = (unit(&a_norm), unit(&b_norm));
    let mut sum = 0.0;
    // The order of a norm's sum: lanes within blocks, blocks first to last.
    for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
        let mut lanes = [0.0; LANES];
        for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
            for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
                *lane += (a.widen() * a_unit) * (b.widen() * b_unit);
            }
        }
        sum += lanes.iter().sum::<f64>();
    }
    let b_scaled = b_norm.scaled * (b_norm.scale * b_unit);
    R::narrow(sum / (b_scaled * b_scaled) * b_unit / a_unit)
}

/// `||a||_2 / ||b||_2`; 0 if `b` is zero. One read an entry.
pub fn ratio<R: Real>(a: &[R], b: &[R]) -> R {
    let (a, b) = (euclidean(a), euclidean(b));
    match b.verdict() {
        Verdict::Zero => R::ZERO,
        _ => R::narrow(a.scaled / b.scaled * a.scale / b.scale),
    }
}

fn euclidean<R: Real>(v: &[R]) -> DualNorm {
    dual_norm(&Rule::l2(R::ONE), v, v)
}

/// A power of two that brings the norm near 1.
fn unit(norm: &DualNorm) -> f64 {
    power_of_two(exponent(norm.scale).saturating_add(exponent(norm.scaled)).saturating_neg())
}
