//! Random numbers of layers: counted, not drawn one after the other.
//!
//! Every random number of a step is a function of the step's [`Key`], the node that asks, the sample's position in the step's
//! batch and the number's own. So both passes of a SAM step have the same masks and coefficients, and every backend has the same
//! on any number of threads and after a resume.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Words of a block of ChaCha.
const BLOCK: usize = 16;

/// What all random numbers of a step are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(
    /// The run's seed, what the numbers are for, and which step it is: whatever differs between steps.
    pub [u64; 3],
);

impl Key {
    /// The key of ChaCha8 for the node of that number: the words of this key, then the node's, each little-endian. Its stream
    /// number is 0.
    #[must_use]
    pub fn of_node(self, node: usize) -> [u8; 32] {
        let mut key = [0; 32];
        let Self([seed, purpose, step]) = self;
        for (bytes, word) in key.chunks_exact_mut(8).zip([seed, purpose, step, node as u64]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        key
    }

    /// Numbers uniform in [0, 1), multiples of 2^-24, of the sample at that position of the step's batch: the upper 24 bits of
    /// the words from block `sample * ceil(values / 16)` on, where a sample needs `values` of them.
    pub fn uniform(self, node: usize, sample: usize, values: usize) -> impl Iterator<Item = f32> {
        let mut rng = ChaCha8Rng::from_seed(self.of_node(node));
        let blocks = values.div_ceil(BLOCK) as u128;
        rng.set_word_pos(sample as u128 * blocks * BLOCK as u128);
        (0..values).map(move |_| (rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32)
    }
}

/// Which coefficient a gradient is multiplied by where a layer has one of its own for the backward pass (Shake-Shake,
/// ShakeDrop).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BackwardCoefficients {
    /// The forward one in every pass: the gradient is that of the network as it was drawn. What is not a first-order step
    /// along one gradient has a meaning with this one only: the second-order term, several steps of ascent, the
    /// difference of two gradients.
    #[default]
    Forward,
    /// A fresh one in every pass: steps without an ascent.
    Fresh,
    /// The forward one in the clean pass, which the ascent follows, and a fresh one in the perturbed pass: SAM as its
    /// authors have it.
    FreshWhenPerturbed,
}

impl BackwardCoefficients {
    /// Whether they are fresh in the perturbed pass, or in the clean one.
    #[must_use]
    pub const fn are_fresh(self, perturbed: bool) -> bool {
        match self {
            Self::Forward => false,
            Self::Fresh => true,
            Self::FreshWhenPerturbed => perturbed,
        }
    }
}

/// What the random layers of a step draw from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    /// What the step's numbers are counted from.
    pub key: Key,
    /// Position of the batch's first sample in the step's batch, where that is computed in parts.
    pub first: usize,
    /// Which coefficients gradients have where there are some for the backward pass.
    pub backward: BackwardCoefficients,
}

/// What a branch of a network is multiplied by, in the forward pass and in the backward pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficient {
    /// Of the value.
    pub forward: f32,
    /// Of the gradient.
    pub backward: f32,
}

impl Coefficient {
    /// A constant: the gradient is the true one.
    #[must_use]
    pub const fn constant(value: f32) -> Self {
        Self { forward: value, backward: value }
    }

    fn new(forward: f32, backward: f32, fresh: bool) -> Self {
        Self { forward, backward: if fresh { backward } else { forward } }
    }
}

/// Random numbers that a sample needs for a coefficient; [`crate::Op::Dropout`] needs one for each of its values instead.
pub const COEFFICIENT_VALUES: usize = 3;

/// Shake-Shake's (Gastaldi 2017) share of the first branch, the second has the rest: alpha, the first number, forward, and beta,
/// the second, backward if `fresh`.
#[must_use]
pub fn shake_shake(key: Key, node: usize, sample: usize, fresh: bool) -> Coefficient {
    let [alpha, beta, _] = numbers(key, node, sample);
    Coefficient::new(alpha, beta, fresh)
}

/// ShakeDrop's (Yamada et al. 2018) factor: 1 if the first number is below `keep`, else alpha in [-1, 1) of the second forward
/// and, if `fresh`, beta, the third, backward.
#[must_use]
pub fn shake_drop(key: Key, node: usize, sample: usize, keep: f64, fresh: bool) -> Coefficient {
    let [gate, alpha, beta] = numbers(key, node, sample);
    if f64::from(gate) < keep {
        Coefficient::constant(1.0)
    } else {
        Coefficient::new(2.0 * alpha - 1.0, beta, fresh)
    }
}

/// Drop-connect's factor: 0 if the first number is below `rate`, else `1 / (1 - rate)`.
#[must_use]
pub fn drop_connect(key: Key, node: usize, sample: usize, rate: f64) -> Coefficient {
    let [gate, ..] = numbers(key, node, sample);
    Coefficient::constant(kept(gate, rate))
}

/// What dropout multiplies a value by: 0 if its number is below `rate`, else `1 / (1 - rate)`.
#[must_use]
pub fn kept(number: f32, rate: f64) -> f32 {
    if f64::from(number) < rate { 0.0 } else { (1.0 / (1.0 - rate)) as f32 }
}

fn numbers(key: Key, node: usize, sample: usize) -> [f32; COEFFICIENT_VALUES] {
    let mut numbers = [0.0; COEFFICIENT_VALUES];
    numbers.iter_mut().zip(key.uniform(node, sample, COEFFICIENT_VALUES)).for_each(|(to, from)| *to = from);
    numbers
}
