//! What ranks that keep a shard each of a vector find out together: its norm, with the bits that it has on one rank.

use std::{ops::ControlFlow, rc::Rc};

use sam_core::{
    Rule,
    formula::{self, BLOCK, DualNorm, NormAccumulator, Partial},
};

use crate::ranks::{Ranks, shards::Shards};

/// Bytes of a [`Partial`].
const PARTIAL: usize = size_of::<[u64; 3]>();

/// The ranks of a run and their shards of vectors that are as long as the weights. All ranks make the same calls.
///
/// A norm is joined of what each block of [`BLOCK`] entries contributes, in the blocks' order, as on one rank: a message of 24 bytes for
/// each 4 KiB of a vector, twice for norms that take two rounds.
#[derive(Clone)]
pub struct Joint {
    ranks: Rc<dyn Ranks>,
    /// How vectors are cut.
    pub shards: Shards,
}

impl Joint {
    /// Of vectors of so many entries.
    pub fn new(ranks: Rc<dyn Ranks>, entries: usize) -> Self {
        let shards = Shards::new(entries, ranks.size());
        Self { ranks, shards }
    }

    /// The processes.
    pub fn ranks(&self) -> &dyn Ranks {
        &*self.ranks
    }

    /// This one's number.
    pub fn rank(&self) -> usize {
        self.ranks.rank()
    }

    /// Entries of this rank's shard.
    pub fn length(&self) -> usize {
        self.shards.length(self.rank())
    }

    /// `||T g||_q` of the vectors that `w` and `g` are this rank's shards of.
    pub fn norm(&self, rule: &Rule<f32>, w: &[f32], g: &[f32]) -> DualNorm {
        let mut accumulator = NormAccumulator::new(rule);
        loop {
            let blocks = w.chunks(BLOCK).zip(g.chunks(BLOCK));
            let own = blocks.flat_map(|(w, g)| accumulator.block(w, g).to_words());
            let own: Vec<u8> = own.flat_map(u64::to_le_bytes).collect();
            self.in_order::<PARTIAL>(&own, |bytes| {
                if let ([value, first, len], []) = bytes.as_chunks() {
                    let words = [value, first, len].map(|word| u64::from_le_bytes(*word));
                    accumulator.merge(Partial::from_words(words));
                }
            });
            match accumulator.finish() {
                ControlFlow::Break(norm) => return norm,
                ControlFlow::Continue(next) => accumulator = next,
            }
        }
    }

    /// The Euclidean length of the vector that `g` is this rank's shard of, as [`length`].
    pub fn euclidean(&self, g: &[f32]) -> f64 {
        let own: Vec<u8> = g.chunks(BLOCK).map(square_sum).flat_map(f64::to_le_bytes).collect();
        let mut sum = 0.0;
        self.in_order(&own, |bytes| sum += f64::from_le_bytes(*bytes));
        sum.sqrt()
    }

    /// Whether all entries of the vector are finite.
    pub fn is_finite(&self, g: &[f32]) -> bool {
        self.ranks.gather(&[u8::from(formula::all_finite(g))]).iter().all(|flag| flag == &[1])
    }

    /// The vector that `shard` is this rank's part of, on every rank.
    pub fn whole(&self, shard: &[f32]) -> Vec<f32> {
        let mut vector = vec![0.0; self.shards.entries()];
        self.shards.all_gather(self.ranks(), shard, &mut vector);
        vector
    }

    /// Shows what all ranks have of a vector's blocks, so many bytes each, from the first block to the last.
    fn in_order<const BYTES: usize>(&self, own: &[u8], mut take_in: impl FnMut(&[u8; BYTES])) {
        let all = self.ranks.gather(own);
        let mut left: Vec<_> = all.iter().map(|bytes| bytes.as_chunks().0.iter()).collect();
        for owner in self.shards.owners() {
            left[owner].next().into_iter().for_each(&mut take_in);
        }
    }
}

/// The Euclidean length of `values`: summed in double precision, block by block of [`BLOCK`] entries.
pub fn length(values: &[f32]) -> f64 {
    values.chunks(BLOCK).map(square_sum).sum::<f64>().sqrt()
}

/// In lanes that the processor adds up side by side.
fn square_sum(block: &[f32]) -> f64 {
    let (parts, rest) = block.as_chunks::<16>();
    let square = |value: f32| f64::from(value) * f64::from(value);
    let mut lanes = [0.0; 16];
    for part in parts {
        lanes.iter_mut().zip(part).for_each(|(lane, &value)| *lane += square(value));
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|&value| square(value)).sum::<f64>()
}
