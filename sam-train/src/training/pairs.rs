//! Which images mixup mixes, and how: drawn on the host for every backend.

use std::ops::Range;

use rand::seq::SliceRandom;
use rand_distr::{Beta, Distribution};

use crate::random::{Purpose, stream};

/// The counter of mixed batches in a run's state.
pub const MIXUP_STEPS: &str = "mixup.steps";

/// Draws pairs of images to mix (mixup; Zhang et al., ICLR 2018). The share of the first image of every pair is drawn from
/// Beta(alpha, alpha), one for each batch, as in its authors' code; the second image is another one of the batch, or of its group where
/// that is cut into groups, chosen at random. Both depend on the seed, on the step and on the group's number alone.
pub struct Pairs {
    alpha: f64,
    seed: u64,
    /// Steps made.
    pub steps: u64,
}

impl Pairs {
    /// `alpha` is above 0.
    pub const fn new(alpha: f64, seed: u64) -> Self {
        Self { alpha, seed, steps: 0 }
    }

    /// The share of the first images, and the second image of each of `images`, within each of the `groups`, which are given with their
    /// numbers.
    pub fn draw(
        &self,
        images: usize,
        groups: impl IntoIterator<Item = (usize, Range<usize>)>,
    ) -> (f64, Vec<usize>) {
        let mut random = stream(self.seed, Purpose::Mixup, 0, self.steps);
        // Only parameters that settings never have are refused.
        let share = Beta::new(self.alpha, self.alpha).map_or(1.0, |beta| beta.sample(&mut random));
        let mut partners: Vec<usize> = (0..images).collect();
        for (number, group) in groups {
            match number {
                0 => partners[group].shuffle(&mut random),
                _ => {
                    let mut own = stream(self.seed, Purpose::Mixup, number as u64, self.steps);
                    partners[group].shuffle(&mut own);
                }
            }
        }
        (share, partners)
    }
}
