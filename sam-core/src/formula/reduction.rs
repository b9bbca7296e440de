//! What a round over all parameters computes from the entries `x_i = t_i |g_i|`.

use super::accumulator::LANES;
use super::range::Range;
use crate::{Real, Rule};

#[derive(Clone, Copy, Debug)]
pub(super) enum Reduction {
    /// `sum x^2`, or `sum x`, as long as they stay in range: see [`PartialSums`](super::partial_sums::PartialSums).
    InOwnType { square: bool },
    /// `sum (x * unit)^2`.
    Squares { unit: f64 },
    #[cfg(feature = "norms")]
    /// `sum x * unit`.
    Absolutes { unit: f64 },
    #[cfg(feature = "norms")]
    /// `sum (x / peak)^q`.
    Powers { peak: f64, q: f64 },
    /// `max x`, where NaN counts as larger than infinity.
    Peak,
    #[cfg(feature = "norms")]
    /// The first `i` with `x_i = peak`.
    Locate { peak: f64 },
}

impl Reduction {
    /// Adds entries to the lanes of a block, the first of them being the block's entry `at`.
    pub(super) fn fold<R: Real>(
        self,
        rule: &Rule<R>,
        range: Range,
        lanes: &mut [f64; LANES],
        at: usize,
        w: &[R],
        g: &[R],
    ) {
        match (range.of::<R>(), rule.eta()) {
            (Range::Ordinary, None) => self.fold_entries(lanes, at, w, g, |_, g| g.abs().widen()),
            (Range::Ordinary, Some(eta)) => self.fold_entries(lanes, at, w, g, adaptive_entry(eta)),
            _ => self.fold_entries(lanes, at, w, g, moved_entry(range, rule.eta())),
        }
    }

    fn fold_entries<R: Real>(
        self,
        lanes: &mut [f64; LANES],
        at: usize,
        w: &[R],
        g: &[R],
        x: impl Fn(R, R) -> f64,
    ) {
        match self {
            Self::Squares { unit } => fold_lanes(lanes, at, w, g, |sum, w, g| {
                let scaled = x(w, g) * unit;
                sum + scaled * scaled
            }),
            #[cfg(feature = "norms")]
            Self::Absolutes { unit } => fold_lanes(lanes, at, w, g, |sum, w, g| sum + x(w, g) * unit),
            #[cfg(feature = "norms")]
            Self::Powers { peak, q } => {
                fold_lanes(lanes, at, w, g, |sum, w, g| sum + libm::pow(x(w, g) / peak, q));
            }
            Self::Peak => fold_lanes(lanes, at, w, g, |peak, w, g| larger(peak, x(w, g))),
            Self::InOwnType { .. } => {}
            #[cfg(feature = "norms")]
            Self::Locate { .. } => {}
        }
    }

    /// The first entry that a [`Reduction::Locate`] looks for.
    #[cfg(feature = "norms")]
    pub(super) fn locate<R: Real>(self, rule: &Rule<R>, range: Range, w: &[R], g: &[R]) -> Option<usize> {
        let Self::Locate { peak } = self else { return None };
        let mut entries = w.iter().zip(g);
        match (range.of::<R>(), rule.eta()) {
            (Range::Ordinary, None) => entries.position(|(_, g)| g.abs().widen() == peak),
            (Range::Ordinary, Some(eta)) => {
                let x = adaptive_entry(eta);
                entries.position(|(w, g)| x(*w, *g) == peak)
            }
            _ => {
                let x = moved_entry(range, rule.eta());
                entries.position(|(w, g)| x(*w, *g) == peak)
            }
        }
    }

    /// Without other norms nothing looks for an entry.
    #[cfg(not(feature = "norms"))]
    pub(super) fn locate<R: Real>(self, _: &Rule<R>, _: Range, _: &[R], _: &[R]) -> Option<usize> {
        None
    }

    /// A block's value from its lanes, added pairwise.
    pub(super) fn reduce(self, mut lanes: [f64; LANES]) -> f64 {
        let mut half = LANES / 2;
        while half > 0 {
            let (low, high) = lanes.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                *a = self.join(*a, *b);
            }
            half /= 2;
        }
        lanes[0]
    }

    pub(super) fn join(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Peak => larger(a, b),
            _ => a + b,
        }
    }
}

fn adaptive_entry<R: Real>(eta: R) -> impl Fn(R, R) -> f64 {
    move |w, g| (w.abs().widen() + eta.widen()) * g.abs().widen()
}

/// An entry of a vector whose products leave the range of `f64`.
fn moved_entry<R: Real>(range: Range, adaptive: Option<R>) -> impl Fn(R, R) -> f64 {
    move |w, g| {
        let t = adaptive.map_or(1.0, |eta| w.abs().widen() + eta.widen());
        range.product(t, g.abs().widen())
    }
}

/// The larger of two non-negative numbers. Their bits order like the numbers do, with infinity and NaN on
/// top.
fn larger(a: f64, b: f64) -> f64 {
    f64::from_bits(a.abs().to_bits().max(b.abs().to_bits()))
}

/// `lanes[(at + i) % LANES] = fold(lanes[(at + i) % LANES], w[i], g[i])`, written so that it becomes vector
/// code.
fn fold_lanes<R: Real>(
    lanes: &mut [f64; LANES],
    at: usize,
    w: &[R],
    g: &[R],
    fold: impl Fn(f64, R, R) -> f64,
) {
    #[cfg(not(feature = "norms"))]
    {
        // Only numbers at the ends of their range come here then: a small loop is better than a fast one.
        for (i, (w, g)) in w.iter().zip(g).enumerate() {
            if let Some(lane) = lanes.get_mut(at.wrapping_add(i) % LANES) {
                *lane = fold(*lane, *w, *g);
            }
        }
    }
    #[cfg(feature = "norms")]
    fold_vectors(lanes, at, w, g, fold);
}

#[cfg(feature = "norms")]
fn fold_vectors<R: Real>(
    lanes: &mut [f64; LANES],
    at: usize,
    w: &[R],
    g: &[R],
    fold: impl Fn(f64, R, R) -> f64,
) {
    let at = at % LANES;
    let head = (LANES - at) % LANES;
    let one = |(lane, (w, g)): (&mut f64, (&R, &R))| *lane = fold(*lane, *w, *g);
    lanes.iter_mut().skip(at).zip(w.iter().zip(g)).take(head).for_each(one);
    let (Some(w), Some(g)) = (w.get(head..), g.get(head..)) else { return };

    let mut local = *lanes;
    let (w, g) = (w.chunks_exact(LANES), g.chunks_exact(LANES));
    let tail = w.remainder().iter().zip(g.remainder());
    for (w, g) in w.zip(g) {
        local.iter_mut().zip(w.iter().zip(g)).for_each(one);
    }
    local.iter_mut().zip(tail).for_each(one);
    *lanes = local;
}
