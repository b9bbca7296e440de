//! Symmetric label noise, the paper's section 3.3.

use rand::RngExt;

use crate::random::{Purpose, stream};

/// Labels of which some were replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoisyLabels {
    /// The labels to train on.
    pub labels: Vec<u16>,
    /// How many of them differ from the true ones.
    pub wrong: usize,
}

/// Replaces each label with probability `rate` by one drawn uniformly from *all* `classes`.
///
/// A replacement may be the true label again, so that the expected share of wrong labels is
/// `rate * (classes - 1) / classes`; [`NoisyLabels::wrong`] counts them. The outcome depends on `seed` alone, and for
/// one seed the labels replaced at a lower rate are among those replaced at a higher one.
pub fn replace_at_random(labels: &[u16], classes: usize, rate: f64, seed: u64) -> NoisyLabels {
    let mut random = stream(seed, Purpose::LabelNoise, 0, 0);
    let noisy: Vec<u16> = labels
        .iter()
        .map(|&label| {
            let replaced = random.random::<f64>() < rate;
            let other = random.random_range(0..classes) as u16;
            if replaced { other } else { label }
        })
        .collect();
    let wrong = noisy.iter().zip(labels).filter(|(noisy, label)| noisy != label).count();
    NoisyLabels { labels: noisy, wrong }
}
