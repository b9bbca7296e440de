//! The first try at a sum: in the entries' own type as far as that is exact enough, then in `f64`.
//!
//! A processor without `f64` would spend some hundred instructions on every entry otherwise.

use super::accumulator::LANES;
use crate::{Real, Rule};

/// Entries of a lane that are added before `f64` takes over: few, for the error's sake.
const ROWS: usize = 8;

/// Entries that go into one set of partial sums: all lanes times [`ROWS`]. A block is a whole number of them.
pub(super) const ENTRIES: usize = LANES * ROWS;

/// Sums of the latest entries, lane by lane, which have not been moved over to `f64` yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartialSums<R>([R; LANES]);

impl<R: Real> PartialSums<R> {
    pub(super) const EMPTY: Self = Self([R::ZERO; LANES]);

    /// Adds `x_i^2`, or `x_i`, to the lanes of a block, the first entry being the block's entry `at`.
    pub(super) fn fold(
        &mut self,
        square: bool,
        rule: &Rule<R>,
        lanes: &mut [f64; LANES],
        at: usize,
        w: &[R],
        g: &[R],
    ) {
        match (square, rule.eta()) {
            (true, None) => self.fold_entries(lanes, at, w, g, |_, g| g * g),
            (false, None) => self.fold_entries(lanes, at, w, g, |_, g| g.abs()),
            (true, Some(eta)) => self.fold_entries(lanes, at, w, g, |w, g| {
                let x = (w.abs() + eta) * g;
                x * x
            }),
            (false, Some(eta)) => self.fold_entries(lanes, at, w, g, |w, g| (w.abs() + eta) * g.abs()),
        }
    }

    /// One small loop, where program memory counts for more than time.
    #[cfg(not(feature = "norms"))]
    fn fold_entries(
        &mut self,
        lanes: &mut [f64; LANES],
        at: usize,
        w: &[R],
        g: &[R],
        term: impl Fn(R, R) -> R,
    ) {
        for (i, (w, g)) in w.iter().zip(g).enumerate() {
            let entry = at.wrapping_add(i);
            if let Some(sum) = self.0.get_mut(entry % LANES) {
                *sum += term(*w, *g);
            }
            if entry % ENTRIES == ENTRIES - 1 {
                self.flush(lanes);
            }
        }
    }

    #[cfg(feature = "norms")]
    fn fold_entries(
        &mut self,
        lanes: &mut [f64; LANES],
        at: usize,
        w: &[R],
        g: &[R],
        term: impl Fn(R, R) -> R,
    ) {
        let head = ((ENTRIES - at % ENTRIES) % ENTRIES).min(w.len()).min(g.len());
        let (Some((head_w, w)), Some((head_g, g))) = (w.split_at_checked(head), g.split_at_checked(head))
        else {
            return;
        };
        self.add(at, head_w, head_g, &term);
        if head > 0 && (at + head) % ENTRIES == 0 {
            self.flush(lanes);
        }
        let (w, g) = (w.chunks_exact(ENTRIES), g.chunks_exact(ENTRIES));
        let (tail_w, tail_g) = (w.remainder(), g.remainder());
        for (w, g) in w.zip(g) {
            let mut sums = Self::EMPTY.0;
            for (w, g) in w.chunks_exact(LANES).zip(g.chunks_exact(LANES)) {
                for (sum, (w, g)) in sums.iter_mut().zip(w.iter().zip(g)) {
                    *sum += term(*w, *g);
                }
            }
            lanes.iter_mut().zip(sums).for_each(|(lane, sum)| *lane += sum.widen());
        }
        self.add(0, tail_w, tail_g, &term);
    }

    /// Adds entries that do not fill the sums, the first of them being their entry `at`.
    #[cfg(feature = "norms")]
    fn add(&mut self, at: usize, w: &[R], g: &[R], term: impl Fn(R, R) -> R) {
        for (i, (w, g)) in w.iter().zip(g).enumerate() {
            if let Some(sum) = self.0.get_mut((at + i) % LANES) {
                *sum += term(*w, *g);
            }
        }
    }

    /// Moves the sums over to `f64`.
    pub(super) fn flush(&mut self, lanes: &mut [f64; LANES]) {
        lanes.iter_mut().zip(self.0).for_each(|(lane, sum)| *lane += sum.widen());
        *self = Self::EMPTY;
    }
}
