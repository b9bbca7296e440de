//! Quotients of dot products.

use super::accumulator::{BLOCK, LANES};
use super::norm::{DualNorm, dual_norm_of};
use super::scale::{exponent, power_of_two};
use crate::{Real, Rule, Verdict};

/// `a.b / b.b`; 0 if `b` is zero, NaN if an entry is not finite. Three reads an entry.
pub fn projection<R: Real>(a: &[R], b: &[R]) -> R {
    projection_of(|| core::iter::once((a, b)))
}

/// [`projection`] of two vectors in parts: `pairs` gives them from the first on, as often as it is called. The bits are those of the
/// parts laid end to end.
pub fn projection_of<'a, R: Real, I: Iterator<Item = (&'a [R], &'a [R])>>(pairs: impl Fn() -> I) -> R {
    let (a_norm, b_norm) =
        (euclidean(|| pairs().map(|(a, _)| (a, a))), euclidean(|| pairs().map(|(_, b)| (b, b))));
    match (a_norm.verdict(), b_norm.verdict()) {
        (Verdict::NonFinite, _) | (_, Verdict::NonFinite) => return R::narrow(f64::NAN),
        (Verdict::Zero, _) | (_, Verdict::Zero) => return R::ZERO,
        _ => {}
    }
    let (a_unit, b_unit) = (unit(&a_norm), unit(&b_norm));
    let mut sum = Sum { a_unit, b_unit, lanes: [0.0; LANES], filled: 0, total: 0.0 };
    pairs().for_each(|(a, b)| sum.push(a, b));
    let b_scaled = b_norm.scaled * (b_norm.scale * b_unit);
    R::narrow(sum.finish() / (b_scaled * b_scaled) * b_unit / a_unit)
}

/// `||a||_2 / ||b||_2`; 0 if `b` is zero. One read an entry.
pub fn ratio<R: Real>(a: &[R], b: &[R]) -> R {
    ratio_of(|| core::iter::once((a, b)))
}

/// [`ratio`] of two vectors in parts, as [`projection_of`].
pub fn ratio_of<'a, R: Real, I: Iterator<Item = (&'a [R], &'a [R])>>(pairs: impl Fn() -> I) -> R {
    let (a, b) = (euclidean(|| pairs().map(|(a, _)| (a, a))), euclidean(|| pairs().map(|(_, b)| (b, b))));
    match b.verdict() {
        Verdict::Zero => R::ZERO,
        _ => R::narrow(a.scaled / b.scaled * a.scale / b.scale),
    }
}

fn euclidean<'a, R: Real, I: Iterator<Item = (&'a [R], &'a [R])>>(vectors: impl Fn() -> I) -> DualNorm {
    dual_norm_of(&Rule::l2(R::ONE), vectors)
}

/// A power of two that brings the norm near 1.
fn unit(norm: &DualNorm) -> f64 {
    power_of_two(exponent(norm.scale).saturating_add(exponent(norm.scaled)).saturating_neg())
}

/// A dot product in the order of a norm's sum: lanes within blocks, blocks first to last.
struct Sum {
    a_unit: f64,
    b_unit: f64,
    lanes: [f64; LANES],
    /// Entries of the block that is not full yet.
    filled: usize,
    /// Of all full blocks.
    total: f64,
}

impl Sum {
    fn push<R: Real>(&mut self, a: &[R], b: &[R]) {
        let (mut a, mut b) = (a, b);
        while !a.is_empty() && !b.is_empty() {
            // Up to where the lanes start anew, then all whole rows of them that the block has room for.
            let lane = self.filled % LANES;
            let room = if lane > 0 { LANES - lane } else { BLOCK - self.filled };
            let take = room.min(a.len()).min(b.len());
            let (Some((now_a, later_a)), Some((now_b, later_b))) =
                (a.split_at_checked(take), b.split_at_checked(take))
            else {
                return;
            };
            let (a_unit, b_unit) = (self.a_unit, self.b_unit);
            for (a, b) in now_a.chunks(LANES).zip(now_b.chunks(LANES)) {
                for (sum, (a, b)) in self.lanes.iter_mut().skip(lane).zip(a.iter().zip(b)) {
                    *sum += (a.widen() * a_unit) * (b.widen() * b_unit);
                }
            }
            self.filled += take;
            if self.filled == BLOCK {
                self.close();
            }
            (a, b) = (later_a, later_b);
        }
    }

    fn close(&mut self) {
        self.total += self.lanes.iter().sum::<f64>();
        (self.lanes, self.filled) = ([0.0; LANES], 0);
    }

    fn finish(mut self) -> f64 {
        self.close();
        self.total
    }
}
