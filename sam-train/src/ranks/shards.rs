//! Vectors of which each rank keeps a part: which entries are whose, and how parts come together.
//!
//! ```text
//!              front                                                        end
//! messages   |       2 (short)    |          1            |          0            |
//! ranks      |   0    |   1       |     0     |     1     |     0     |     1     |
//! ```
//!
//! The parts of a rank, from the front to the end, are its shard. Every message has entries of every rank, so that all of them send
//! and receive at any time, also while only the end of a gradient is there.

use std::ops::Range;

use sam_core::formula::BLOCK;

use super::Ranks;

/// Messages that a vector is cut into at most: the last of them, which nothing is left to hide behind, is so small a part.
const MESSAGES: usize = 32;
/// Entries of one at least (64 KiB): below that a message's latency costs more than what it carries.
const LEAST: usize = 1 << 14;

/// How vectors of so many entries are cut: into messages, from the end to the front, as backward passes come by a gradient, and those
/// into a part for each rank. A cut is between two blocks that norms are summed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards {
    entries: usize,
    ranks: usize,
    /// Entries of a message.
    size: usize,
}

impl Shards {
    /// Of vectors of so many entries among so many ranks.
    pub fn new(entries: usize, ranks: usize) -> Self {
        let size = entries.div_ceil(MESSAGES).next_multiple_of(BLOCK).max(LEAST);
        Self { entries, ranks, size }
    }

    /// Entries of a vector.
    pub const fn entries(self) -> usize {
        self.entries
    }

    /// Messages that a vector takes, one at least.
    pub fn messages(self) -> usize {
        self.entries.next_multiple_of(BLOCK).div_ceil(self.size).max(1)
    }

    /// The entries of a message; that with number 0 has the last ones.
    pub fn message(self, number: usize) -> Range<usize> {
        let whole_blocks = self.entries.next_multiple_of(BLOCK);
        let begin = |number: usize| whole_blocks.saturating_sub(number * self.size).min(self.entries);
        begin(number + 1)..begin(number)
    }

    /// The messages that have some of these entries.
    pub fn messages_of(self, entries: &Range<usize>) -> Range<usize> {
        let number = |entry: usize| (self.entries.next_multiple_of(BLOCK) - 1 - entry) / self.size;
        if entries.is_empty() { 0..0 } else { number(entries.end - 1)..number(entries.start) + 1 }
    }

    /// Entries that each rank has of a message, the last ranks fewer or none.
    pub fn part(self, message: usize) -> usize {
        self.message(message).len().div_ceil(self.ranks).next_multiple_of(BLOCK)
    }

    /// Those that the rank `rank` has of it.
    pub fn part_of(self, message: usize, rank: usize) -> Range<usize> {
        let (Range { start, end }, part) = (self.message(message), self.part(message));
        let begin = |rank: usize| (start + rank * part).min(end);
        begin(rank)..begin(rank + 1)
    }

    /// The parts of a rank from the front to the end: where they are in the vector, and where in the rank's shard.
    pub fn parts(self, rank: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let mut begin = 0;
        (0..self.messages()).rev().map(move |message| {
            let part = self.part_of(message, rank);
            let local = begin..begin + part.len();
            begin = local.end;
            (part, local)
        })
    }

    /// Entries of a rank's shard.
    pub fn length(self, rank: usize) -> usize {
        self.parts(rank).map(|(part, _)| part.len()).sum()
    }

    /// The ranks that have the blocks of a vector, from the first block to the last.
    pub fn owners(self) -> impl Iterator<Item = usize> {
        (0..self.messages()).rev().flat_map(move |message| {
            (0..self.ranks).flat_map(move |rank| {
                std::iter::repeat_n(rank, self.part_of(message, rank).len().div_ceil(BLOCK))
            })
        })
    }

    /// A rank's shard of `vector`.
    pub fn take(self, rank: usize, vector: &[f32], shard: &mut [f32]) {
        for (part, local) in self.parts(rank) {
            shard[local].copy_from_slice(&vector[part]);
        }
    }

    /// Leaves `shard` with this rank's part of the sum of the ranks' `vectors`, in the order of [`Ranks::sum`].
    pub fn reduce_scatter(self, ranks: &dyn Ranks, vector: &[f32], shard: &mut [f32]) {
        let mut end = shard.len();
        for message in 0..self.messages() {
            let begin = end - self.part_of(message, ranks.rank()).len();
            ranks.reduce_scatter(&vector[self.message(message)], self.part(message), &mut shard[begin..end]);
            end = begin;
        }
    }

    /// Makes `vector`, on all ranks, what their shards are parts of.
    pub fn all_gather(self, ranks: &dyn Ranks, shard: &[f32], vector: &mut [f32]) {
        let mut end = shard.len();
        for message in 0..self.messages() {
            let begin = end - self.part_of(message, ranks.rank()).len();
            let whole = &mut vector[self.message(message)];
            ranks.all_gather(&shard[begin..end], self.part(message), whole);
            end = begin;
        }
    }

    /// What the ranks' shards are parts of, on the first rank. The others need memory for a message of it.
    pub fn on_first(self, ranks: &dyn Ranks, shard: &[f32]) -> Option<Vec<f32>> {
        let mut vector = ranks.is_first().then(|| vec![0.0; self.entries]);
        let mut received = vec![0.0; if ranks.is_first() { 0 } else { self.size.min(self.entries) }];
        let mut end = shard.len();
        for message in 0..self.messages() {
            let begin = end - self.part_of(message, ranks.rank()).len();
            let entries = self.message(message);
            let whole = match &mut vector {
                Some(vector) => &mut vector[entries],
                None => &mut received[..entries.len()],
            };
            ranks.all_gather(&shard[begin..end], self.part(message), whole);
            end = begin;
        }
        vector
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_entry_is_in_one_message_and_every_block_one_rank_s(
            entries in prop_oneof![0..5 * BLOCK, 0..40 * LEAST, Just(36_479_194_usize)], depth in 0..5_u32,
        ) {
            let ranks = 1 << depth;
            let shards = Shards::new(entries, ranks);
            prop_assert!((1..=MESSAGES).contains(&shards.messages()));
            let mut end = entries;
            for message in 0..shards.messages() {
                let range = shards.message(message);
                prop_assert_eq!(range.end, end);
                prop_assert_eq!(range.start % BLOCK, 0);
                if entries > 0 {
                    prop_assert_eq!(shards.messages_of(&range), message..message + 1);
                }
                let mut next = range.start;
                for rank in 0..ranks {
                    let part = shards.part_of(message, rank);
                    prop_assert_eq!(part.start, next);
                    prop_assert!(part.len() <= shards.part(message));
                    prop_assert!(part.end == entries || part.end.is_multiple_of(BLOCK));
                    next = part.end;
                }
                prop_assert_eq!(next, range.end);
                end = range.start;
            }
            prop_assert_eq!(end, 0);
            if entries > 0 {
                prop_assert_eq!(shards.messages_of(&(0..entries)), 0..shards.messages());
            }
            // Blocks, from the front to the end, are those of their owners' shards, in order.
            let mut left: Vec<Vec<Range<usize>>> = (0..ranks)
                .map(|rank| {
                    let parts = shards.parts(rank).map(|(part, _)| part);
                    let blocks = parts.flat_map(|part| {
                        let end = part.end;
                        part.step_by(BLOCK).map(move |begin| begin..(begin + BLOCK).min(end))
                    });
                    blocks.collect()
                })
                .collect();
            left.iter_mut().for_each(|blocks| blocks.reverse());
            let mut next = 0;
            for owner in shards.owners() {
                let block = left[owner].pop().unwrap();
                prop_assert_eq!(block.start, next);
                next = block.end;
            }
            prop_assert_eq!(next, entries);
            prop_assert!(left.iter().all(Vec::is_empty));
            // A large vector's shards are about equal.
            let lengths: Vec<usize> = (0..ranks).map(|rank| shards.length(rank)).collect();
            prop_assert_eq!(lengths.iter().sum::<usize>(), entries);
            if entries > 1 << 24 {
                prop_assert!(lengths.iter().all(|&length| length < entries / ranks + 32 * 2 * BLOCK));
            }
        }
    }
}
