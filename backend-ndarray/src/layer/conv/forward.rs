//! The forward pass of a convolution as a matrix product.

use super::{Filters, gather::Gather, winograd::Winograd};
use crate::{
    Number,
    buffer::Buffer,
    kernel::MicroKernels,
    layer::samples_a_task,
    layout::Layout,
    product::{Finish, Start, pack_rows},
    team::{Share, Team},
};

/// The forward pass of a convolution.
pub struct ForwardConv<T> {
    filters: Filters,
    input: Layout,
    output: Layout,
    kernels: MicroKernels<T>,
    method: Method<T>,
}

enum Method<T> {
    Gathered { gather: Gather, packed: Buffer<T> },
    Winograd(Winograd<T>),
}

impl<T: Number> ForwardConv<T> {
    pub fn new(filters: Filters, input: Layout, output: Layout) -> Self {
        // Winograd's method takes all channels of an image.
        let method = if filters.by_winograd() && filters.inputs == input.shape.channels {
            Method::Winograd(Winograd::new(input, output, filters.before[0]))
        } else {
            let gather = gather(filters, input, output);
            Method::Gathered { packed: gather.panels(filters.outputs), gather }
        };
        Self { filters, input, output, kernels: T::kernels(), method }
    }

    /// `params` are the weights and the biases, if there are any. `finish` is done to every output. Where the filters are of some
    /// channels of the images only, `input` and `output` begin with the first of these.
    pub fn run(
        &mut self,
        team: &Team,
        samples: usize,
        params: &[T],
        input: &[T],
        output: &mut [T],
        finish: Finish,
    ) {
        let Filters { kernel, inputs, outputs, .. } = self.filters;
        let (weights, bias) = params.split_at(self.filters.weights());
        let start = if bias.is_empty() { Start::Zero } else { Start::Bias(bias) };
        let kernels = &self.kernels;
        match &mut self.method {
            Method::Winograd(winograd) => {
                winograd.prepare(team, |r, s, i, o| weights[((r * kernel + s) * inputs + i) * outputs + o]);
                winograd.run(team, kernels, samples, input, output, (start, finish));
            }
            Method::Gathered { gather, packed } => {
                pack_rows(team, packed, weights.chunks_exact(outputs));
                let (from, to) = (self.input.sample_len(), self.output.sample_len());
                let task = samples_a_task(self.output);
                let len = output.len().min(samples * to);
                output[..len].chunks_mut(task * to).zip(input.chunks(task * from)).share(
                    team,
                    |(output, input)| {
                        let samples = output.len().div_ceil(to).min(samples);
                        gather.multiply(kernels, samples, input, packed, output, outputs, (start, finish));
                    },
                );
            }
        }
    }
}

/// The image's pixels under each filter, and the output's.
fn gather(filters: Filters, input: Layout, output: Layout) -> Gather {
    let Filters { kernel, inputs, .. } = filters;
    let all = input.shape.channels;
    // A row of a patch is one run, unless it has other channels between.
    let (rows, columns) = if inputs == all { (1, kernel) } else { (kernel, 1) };
    let (height, width) = (output.shape.height, output.shape.width);
    let pixels = (0..height).flat_map(move |y| (0..width).map(move |x| (y, x)));
    Gather::new(
        pixels.map(|(y, x)| (filters.origin(input, [y, x]), output.pixel(y as isize, x as isize))),
        [input.sample_len(), output.sample_len()],
        (0..kernel).flat_map(|r| (0..rows).map(move |s| r * input.row_stride() + s * all)),
        columns,
        inputs,
    )
}
