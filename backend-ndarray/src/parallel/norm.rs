//! A dual norm that is accumulated while the gradient is still being computed.

use core::ops::{ControlFlow, Range};

use sam_core::{
    Real, Rule,
    formula::{BLOCK, DualNorm, NormAccumulator, Partial},
};

use super::{BLOCKS, PART};
use crate::{team::Share, threads::Threads};

/// Blocks that are worth waking threads for: 256 KiB of an `f32` gradient, which are still in the caches.
const WORTH: usize = 64;

/// The first round over a gradient, as far as it has come.
///
/// A block's sum depends on that block alone, so it may be computed as soon as the block is final; sums are joined in the
/// blocks' order at the end. Where that shows that another round is needed, it goes over all of the gradient.
pub struct NormSoFar<'a, T> {
    accumulator: NormAccumulator<T>,
    w: &'a [T],
    partials: &'a mut [Partial],
    threads: &'a Threads,
    /// Final entries: one run of them, which layers extend at one end.
    ready: Range<usize>,
    /// Blocks that are summed up, all of them ready.
    summed: Range<usize>,
}

impl<'a, T: Real> NormSoFar<'a, T> {
    /// `partials` has an element for each block of `w`, whatever its value.
    pub fn new(rule: &Rule<T>, w: &'a [T], partials: &'a mut [Partial], threads: &'a Threads) -> Self {
        Self { accumulator: NormAccumulator::new(rule), w, partials, threads, ready: 0..0, summed: 0..0 }
    }

    /// Entries `part` of `g` are final. Those that are not next to earlier ones have to wait for the end.
    pub fn take_in(&mut self, g: &[T], part: Range<usize>) {
        let Range { start, end } = part;
        if start >= end || end > self.w.len() || g.len() != self.w.len() {
            return;
        }
        if self.ready.is_empty() {
            self.ready = start..end;
        } else if end == self.ready.start {
            self.ready.start = start;
        } else if start == self.ready.end {
            self.ready.end = end;
        } else {
            return;
        }
        let first = self.ready.start.div_ceil(BLOCK);
        // The last block of all is whole though it may be short.
        let end = if self.ready.end == self.w.len() { self.partials.len() } else { self.ready.end / BLOCK };
        if (first..end).len() >= self.summed.len() + WORTH {
            self.sum_up(g, first..end);
        }
    }

    /// Sums up what is not yet of a range that includes all that is.
    fn sum_up(&mut self, g: &[T], blocks: Range<usize>) {
        if self.summed.is_empty() {
            self.summed = blocks.start..blocks.start;
        }
        let new = [blocks.start..self.summed.start, self.summed.end..blocks.end];
        for new in new.into_iter().filter(|new| !new.is_empty()) {
            let entries = new.start * BLOCK..self.w.len().min(new.end * BLOCK);
            let (w, g) = (&self.w[entries.clone()], &g[entries]);
            let parts = self.partials[new].chunks_mut(BLOCKS).zip(w.chunks(PART).zip(g.chunks(PART)));
            let accumulator = &self.accumulator;
            parts.share(&self.threads.lock(), |(partials, (w, g))| {
                let blocks = w.chunks(BLOCK).zip(g.chunks(BLOCK));
                partials
                    .iter_mut()
                    .zip(blocks)
                    .for_each(|(partial, (w, g))| *partial = accumulator.block(w, g));
            });
        }
        self.summed = blocks;
    }

    /// The norm of `g`, all of which is final.
    pub fn finish(mut self, g: &[T]) -> DualNorm {
        loop {
            self.sum_up(g, 0..self.partials.len());
            self.partials.iter().for_each(|&partial| self.accumulator.merge(partial));
            match self.accumulator.finish() {
                ControlFlow::Break(norm) => return norm,
                ControlFlow::Continue(next) => (self.accumulator, self.summed) = (next, 0..0),
            }
        }
    }
}
