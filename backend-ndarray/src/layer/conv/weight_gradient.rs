//! The gradient of a convolution's weights, from the images where they lie.

mod packed;

pub use packed::PackedWeightGradient;

use super::{Filters, Layouts};
use crate::{
    Number,
    buffer::Buffer,
    kernel::{COLUMNS, Caches, MicroKernels, Run, Runs},
    layer::{GROUP, add_groups},
    product::{Finish, Start, Target, product},
    team::{Share, Team},
};

/// Gradient of the weights on the images where they lie: filter taps as rows, summed over the pixels of all samples.
pub struct WeightGradient<T> {
    filters: Filters,
    layouts: Layouts,
    /// Offset of each tap in the image and in the gradient.
    taps: Vec<u32>,
    targets: Vec<u32>,
    /// One run for each row of pixels of each sample.
    runs: Vec<Run>,
    block: usize,
    /// The gradient of each group of samples, before they are added up in order.
    shares: Buffer<T>,
}

impl<T: Number> WeightGradient<T> {
    pub fn new(filters: Filters, layouts: Layouts, batch: usize) -> Self {
        let Filters { kernel, inputs, outputs, stride, .. } = filters;
        let Layouts { input, d_output, .. } = layouts;
        let pixels = (0..kernel)
            .flat_map(|r| (0..kernel).map(move |s| r * input.row_stride() + s * input.shape.channels));
        let taps = pixels.flat_map(|at| (0..inputs).map(move |c| at + c));
        let origin = filters.origin(input, [0, 0]);
        let samples = GROUP.min(batch);
        let rows = (0..samples).flat_map(|s| (0..d_output.shape.height).map(move |y| (s, y)));
        let row_bytes = 4 * (stride * input.row_stride() + d_output.row_stride());
        Self {
            filters,
            layouts,
            taps: taps.map(|at| at as u32).collect(),
            targets: (0..kernel * kernel * inputs).map(|row| (row * outputs) as u32).collect(),
            runs: rows
                .map(|(s, y)| Run {
                    a: (s * input.sample_len() + y * stride * input.row_stride() + origin) as u32,
                    b: (s * d_output.sample_len() + d_output.pixel(y as isize, 0)) as u32,
                })
                .collect(),
            // What fills the nearest cache, in f32.
            block: (Caches::of_machine().first / row_bytes).max(1),
            shares: Buffer::zeros(batch.div_ceil(GROUP) * filters.weights()),
        }
    }

    /// Overwrites `d_weights`.
    pub fn compute(
        &mut self,
        team: &Team,
        kernels: &MicroKernels<T>,
        samples: usize,
        x: &[T],
        g: &[T],
        d_weights: &mut [T],
    ) {
        let Layouts { input, d_output, .. } = self.layouts;
        let mut shares = core::mem::take(&mut self.shares);
        let used = samples.div_ceil(GROUP);
        shares.chunks_exact_mut(d_weights.len()).take(used).enumerate().share(team, |(i, share)| {
            let first = i * GROUP;
            let (x, g) = (&x[first * input.sample_len()..], &g[first * d_output.sample_len()..]);
            self.share(kernels, GROUP.min(samples - first), x, g, share);
        });
        add_groups(team, shares.chunks_exact(d_weights.len()).take(used), d_weights);
        self.shares = shares;
    }

    /// The gradient of so many samples.
    fn share(&self, kernels: &MicroKernels<T>, samples: usize, x: &[T], g: &[T], out: &mut [T]) {
        let Filters { outputs, stride, .. } = self.filters;
        let shape = self.layouts.d_output.shape;
        let runs = Runs {
            list: &self.runs[..samples * shape.height],
            depth: shape.width,
            a_step: stride * self.layouts.input.shape.channels,
            b_step: shape.channels,
            b_panel: COLUMNS,
            block: self.block,
        };
        let (start, finish) = (Start::Zero, Finish::Nothing);
        let target = Target { out, rows: &self.targets, columns: outputs, start, finish };
        product(kernels, x, &self.taps, g, runs, target);
    }
}
