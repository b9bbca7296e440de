//! Mixup (Zhang et al., ICLR 2018): images mixed in pairs, and their labels likewise.

use std::ops::Range;

use ndarray::{Array4, Axis, Zip};

use crate::training::{learner::Batch, pairs::Pairs};

/// Mixes batches.
pub struct Mixup {
    /// Whom with whom.
    pub pairs: Pairs,
    /// The mixed images.
    pub images: Array4<f32>,
    /// The classes of the second images.
    pub labels: Vec<u16>,
    /// The share of the first ones.
    pub share: f64,
    /// As long as a gradient.
    pub scratch: Vec<f32>,
}

impl Mixup {
    /// For a network of so many weights. `alpha` is above 0.
    pub fn new(alpha: f64, seed: u64, weights: usize) -> Self {
        Self {
            pairs: Pairs::new(alpha, seed),
            images: Array4::zeros((0, 0, 0, 0)),
            labels: Vec::new(),
            share: 1.0,
            scratch: vec![0.0; weights],
        }
    }

    /// Mixes `batch` into [`Mixup::images`], within each of its `groups`, which are given with their numbers.
    pub fn mix(&mut self, batch: Batch<'_>, groups: impl IntoIterator<Item = (usize, Range<usize>)>) {
        let (share, partners) = self.pairs.draw(batch.labels.len(), groups);
        self.share = share;
        let (first, second) = (share as f32, (1.0 - share) as f32);
        if self.images.dim() != batch.images.dim() {
            self.images = Array4::zeros(batch.images.dim());
        }
        for (i, &partner) in partners.iter().enumerate() {
            let (a, b) = (batch.images.index_axis(Axis(0), i), batch.images.index_axis(Axis(0), partner));
            Zip::from(self.images.index_axis_mut(Axis(0), i)).and(a).and(b).for_each(|mixed, a, b| {
                *mixed = first * a + second * b;
            });
        }
        self.labels.clear();
        self.labels.extend(partners.iter().map(|&partner| batch.labels[partner]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mixed_batch_is_on_the_line_between_its_images_and_the_shares_are_beta_distributed() {
        let images = Array4::from_shape_fn((5, 2, 1, 1), |(i, row, ..)| (10 * i + row) as f32);
        let labels = [0, 1, 2, 3, 4];
        let mut mixup = Mixup::new(2.0, 7, 3);
        let mut shares = Vec::new();
        for step in 0..4_000 {
            mixup.pairs.steps = step;
            mixup.mix(Batch { images: images.view(), labels: &labels }, [(0, 0..5)]);
            for (i, &partner) in mixup.labels.iter().enumerate() {
                let expected = mixup.share * i as f64 + (1.0 - mixup.share) * f64::from(partner);
                for row in 0..2 {
                    let found = f64::from(mixup.images[(i, row, 0, 0)]);
                    assert!((found - 10.0 * expected - row as f64).abs() < 1e-4, "{found} {expected}");
                }
            }
            shares.push(mixup.share);
        }
        // Beta(2, 2): mean 1/2, variance 1/20.
        let mean = shares.iter().sum::<f64>() / 4_000.0;
        let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / 4_000.0;
        assert!((mean - 0.5).abs() < 0.015, "{mean}");
        assert!((variance - 0.05).abs() < 0.004, "{variance}");
    }
}
