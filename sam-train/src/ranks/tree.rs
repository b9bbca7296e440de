//! Sums in the order of a binary tree, which does not depend on who adds what.

use std::mem;

/// Adds the parts of `length` values that `values` consist of, one after the other, into the first of them: neighbours first,
/// `(0 + 1) + (2 + 3)` for four. They are as many as a power of two.
pub fn add(values: &mut [f32], length: usize) {
    let parts = values.len().checked_div(length).unwrap_or(0);
    let mut gap = 1;
    while gap < parts {
        for first in (0..parts - gap).step_by(2 * gap) {
            let (left, right) = values.split_at_mut((first + gap) * length);
            into(&mut left[first * length..][..length], &right[..length]);
        }
        gap *= 2;
    }
}

/// Adds `right` to `left`.
fn into(left: &mut [f32], right: &[f32]) {
    left.iter_mut().zip(right).for_each(|(left, right)| *left += *right);
}

/// The same sum of vectors that come one at a time. Memory: one vector for each level of the tree.
#[derive(Debug, Default)]
pub struct Tree {
    /// The sum of the latest whole subtree of so many vectors as a power of two, as far as it has no neighbour yet.
    levels: Vec<Vec<f32>>,
    count: usize,
}

impl Tree {
    /// Begins with nothing.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Takes in the next vector, as long as the others; what `leaf` holds afterwards does not matter.
    pub fn add(&mut self, leaf: &mut Vec<f32>) {
        // This leaf ends as many subtrees as its number ends in ones.
        let level = self.count.trailing_ones() as usize;
        self.count += 1;
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Vec::new);
        }
        for below in 0..level {
            // The left one is added to, as in the tree of ranks.
            into(&mut self.levels[below], leaf);
            mem::swap(&mut self.levels[below], leaf);
        }
        mem::swap(&mut self.levels[level], leaf);
    }

    /// Adds to `values`, which are those from `first` on of the last vector of all, what the vectors before it come to there: the
    /// sum's bits, though the rest of the last vector may not be there yet.
    pub fn complete(&self, first: usize, values: &mut [f32]) {
        // All others are in subtrees without a neighbour, one of each size.
        debug_assert!((self.count + 1).is_power_of_two(), "{} vectors before the last", self.count);
        let subtrees = &self.levels[..self.count.trailing_ones() as usize];
        // Which of two numbers is added to the other is all the same.
        subtrees.iter().for_each(|left| into(values, &left[first..][..values.len()]));
    }

    /// The sum of all vectors, which were as many as a power of two.
    pub fn sum(&mut self) -> &mut Vec<f32> {
        debug_assert!(self.count.is_power_of_two(), "{} vectors", self.count);
        let level = self.count.trailing_zeros() as usize;
        &mut self.levels[level]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the definition has it.
    fn reference(vectors: &[Vec<f32>]) -> Vec<f32> {
        match vectors {
            [only] => only.clone(),
            several => {
                let (left, right) = several.split_at(several.len() / 2);
                reference(left).iter().zip(reference(right)).map(|(left, right)| left + right).collect()
            }
        }
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    proptest! {
        #[test]
        fn a_sum_has_the_same_bits_however_its_tree_is_cut(depth in 0..6_u32, length in 1..5_usize, seed in any::<u64>()) {
            let count = 1 << depth;
            let mut state = seed;
            let mut value = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((state >> 40) as f32 - 8e6) * 1.7e-5_f32.powi((state >> 33 & 3) as i32)
            };
            let vectors: Vec<Vec<f32>> = (0..count).map(|_| (0..length).map(|_| value()).collect()).collect();
            let expected = bits(&reference(&vectors));
            let mut tree = Tree::default();
            for cut in 0..=depth {
                // So many ranks, each with a whole subtree.
                let ranks = 1 << cut;
                let mut message = Vec::new();
                for own in vectors.chunks(count / ranks) {
                    tree.clear();
                    own.iter().for_each(|leaf| tree.add(&mut leaf.clone()));
                    message.extend_from_slice(tree.sum());
                }
                add(&mut message, length);
                prop_assert_eq!(&bits(&message[..length]), &expected, "{} ranks", ranks);
            }
            let (last, others) = vectors.split_last().unwrap();
            tree.clear();
            others.iter().for_each(|leaf| tree.add(&mut leaf.clone()));
            for first in 0..length {
                let mut rest = last[first..].to_vec();
                tree.complete(first, &mut rest);
                prop_assert_eq!(&bits(&rest), &expected[first..], "in parts");
            }
        }
    }
}
