//! The gradient of a convolution's biases.

use super::GROUP;
use crate::{
    Number,
    buffer::Buffer,
    layer::{add_groups, fold, put},
    layout::Layout,
    team::{Share, Team},
    wide::wide,
};

/// Gradient of the biases: the output's, summed over the pixels of all samples.
pub struct BiasGradient<T> {
    d_output: Layout,
    /// A row of sums for each group of samples, folded to a number a channel at its front.
    partials: Buffer<T>,
}

impl<T: Number> BiasGradient<T> {
    pub fn new(d_output: Layout, batch: usize) -> Self {
        Self { d_output, partials: Buffer::zeros(batch.div_ceil(GROUP) * d_output.row_len()) }
    }

    /// Overwrites `d_bias`; nothing to do where there are no biases.
    pub fn compute(&mut self, team: &Team, samples: usize, g: &[T], d_bias: &mut [T]) {
        if d_bias.is_empty() {
            return;
        }
        let layout = self.d_output;
        let g = &g[..samples * layout.sample_len()];
        let partials = self.partials.chunks_exact_mut(layout.row_len());
        partials
            .zip(g.chunks(GROUP * layout.sample_len()))
            .share(team, |(partial, g)| sum_pixels(partial, g, layout));
        let groups = self.partials.chunks_exact(layout.row_len()).take(samples.div_ceil(GROUP));
        add_groups(team, groups, d_bias);
    }
}

wide! {
/// Sums all pixels of some samples into the front of `row`: whole rows first, so that the loop vectorises however few
/// channels there are.
fn sum_pixels(row: &mut [T], g: &[T], layout: Layout) {
    row.fill(T::zero());
    for sample in g.chunks_exact(layout.sample_len()) {
        for pixels in layout.rows(sample) {
            put(row, pixels.iter().copied(), true);
        }
    }
    fold(row, layout.shape.channels);
}
}
