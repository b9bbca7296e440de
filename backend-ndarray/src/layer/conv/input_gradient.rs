//! The gradient of a convolution's input, phase by phase of the stride.

use super::{Filters, Layouts, gather::Gather};
use crate::{
    Number,
    buffer::Buffer,
    kernel::MicroKernels,
    layer::{InputGradient, samples_a_task},
    product::{Finish, Start, pack_columns},
    team::{Share, Team},
};

/// One direction's filter taps that meet an image pixel of a given phase: tap `first + t stride` meets output pixel
/// `q - t`, where `q = (pixel + padding - first) / stride`.
#[derive(Clone, Copy)]
struct Taps {
    first: usize,
    count: usize,
}

impl Taps {
    /// Of phase `first` in 0..stride.
    const fn of_phase(first: usize, kernel: usize, stride: usize) -> Self {
        let count = if first < kernel { (kernel - first).div_ceil(stride) } else { 0 };
        Self { first, count }
    }

    /// Pixels of this phase, with the first of the output pixels that they meet.
    fn pixels(
        self,
        extent: usize,
        stride: usize,
        padding: usize,
    ) -> impl Iterator<Item = (usize, isize)> + Clone {
        let Self { first, count } = self;
        (0..extent).filter(move |at| (at + padding) % stride == first).map(move |at| {
            let last = (at + padding) as isize - first as isize;
            (at, last.div_euclid(stride as isize) - (count as isize - 1))
        })
    }
}

/// Halo that the gradient of the output needs: how far the taps of any image pixel reach beyond the output.
pub fn halo(
    kernel: usize,
    stride: usize,
    before: [usize; 2],
    input: [usize; 2],
    output: [usize; 2],
) -> usize {
    let mut halo = 0;
    for first in 0..stride.min(kernel) {
        let taps = Taps::of_phase(first, kernel, stride);
        for ((input, output), before) in input.into_iter().zip(output).zip(before) {
            for (_, low) in taps.pixels(input, stride, before) {
                let high = low + taps.count as isize - 1;
                halo = halo.max(-low).max(high + 1 - output as isize);
            }
        }
    }
    halo.max(0) as usize
}

/// The image pixels of one phase in both directions: all meet the same taps.
struct Phase<T> {
    y: Taps,
    x: Taps,
    gather: Gather,
    packed: Buffer<T>,
}

/// Gradient of the input: for each image pixel the sum over the filter taps that met it. With a stride, pixels fall
/// into stride x stride phases, each with its own taps.
pub struct InputGradients<T> {
    filters: Filters,
    layouts: Layouts,
    phases: Vec<Phase<T>>,
}

impl<T: Number> InputGradients<T> {
    pub fn new(filters: Filters, layouts: Layouts) -> Self {
        let Filters { kernel, stride, before, inputs, outputs } = filters;
        let Layouts { d_input, d_output, .. } = layouts;
        let all = d_output.shape.channels;
        let phase = |(py, px)| {
            let (y, x) = (Taps::of_phase(py, kernel, stride), Taps::of_phase(px, kernel, stride));
            let columns = x.pixels(d_input.shape.width, stride, before[1]);
            let pixels = y.pixels(d_input.shape.height, stride, before[0]).flat_map(|(at_y, low_y)| {
                columns.clone().map(move |(at_x, low_x)| ((at_y, at_x), (low_y, low_x)))
            });
            let met = y.count * x.count > 0;
            // A row of a patch is one run, unless it has other channels between.
            let (rows, taps) = if outputs == all { (1, x.count) } else { (x.count, 1) };
            let gather = Gather::new(
                pixels.map(|((y, x), low)| {
                    let source = if met { d_output.pixel(low.0, low.1) } else { 0 };
                    (source, d_input.pixel(y as isize, x as isize))
                }),
                [d_output.sample_len(), d_input.sample_len()],
                (0..if met { y.count } else { 0 })
                    .flat_map(|row| (0..rows).map(move |tap| row * d_output.row_stride() + tap * all)),
                taps,
                outputs,
            );
            Phase { y, x, packed: gather.panels(inputs), gather }
        };
        let phases = (0..stride).flat_map(|py| (0..stride).map(move |px| (py, px))).map(phase).collect();
        Self { filters, layouts, phases }
    }

    pub fn compute(
        &mut self,
        team: &Team,
        kernels: &MicroKernels<T>,
        samples: usize,
        weights: &[T],
        d_output: &[T],
        d_input: InputGradient<'_, T>,
    ) {
        let Filters { kernel, stride, inputs, outputs, .. } = self.filters;
        for Phase { y, x, gather, packed } in &mut self.phases {
            // Depth runs over the met output pixels, first to last (so taps run backwards), and their channels.
            let tap = |taps: Taps, met: usize| taps.first + (taps.count - 1 - met) * stride;
            if gather.depth() > 0 {
                pack_columns(team, packed, (y.count * x.count, outputs, inputs), |met, input| {
                    let (r, s) = (tap(*y, met / x.count), tap(*x, met % x.count));
                    &weights[((r * kernel + s) * inputs + input) * outputs..][..outputs]
                });
            }
        }
        let start = if d_input.accumulate { Start::Existing } else { Start::Zero };
        let (from, to) = (self.layouts.d_output.sample_len(), self.layouts.d_input.sample_len());
        let task = samples_a_task(self.layouts.d_input);
        let len = d_input.values.len().min(samples * to);
        d_input.values[..len].chunks_mut(task * to).zip(d_output.chunks(task * from)).share(
            team,
            |(d_input, d_output)| {
                let samples = d_input.len().div_ceil(to).min(samples);
                for Phase { gather, packed, .. } in &self.phases {
                    gather.multiply(
                        kernels,
                        samples,
                        d_output,
                        packed,
                        d_input,
                        inputs,
                        (start, Finish::Nothing),
                    );
                }
            },
        );
    }
}
