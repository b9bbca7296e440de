//! Convolution in groups: each output channel reads the input channels of its own group only.

mod blocks;
mod depthwise;

use super::{BiasGradient, Filters};
use crate::{
    Number,
    buffer::Buffer,
    layer::{Backward, Forward, InputGradient, Layer, Layouts, add_groups},
    layout::Layout,
    team::Share,
};
use blocks::Blocks;

/// Samples whose gradients of the weights one task sums up: fewer than elsewhere, for here are few weights and much work
/// for each.
const SAMPLES_A_SHARE: usize = 4;

/// A convolution in groups.
pub struct GroupedConv<T> {
    window: Grouped,
    method: Method<T>,
    bias_gradient: BiasGradient<T>,
}

enum Method<T> {
    /// As many groups as channels, as plain loops over pixels and filter taps with a block of channels in registers. And the
    /// gradient of some samples each, before they are added up in order.
    Depthwise(Buffer<T>),
    Blocks(Box<Blocks<T>>),
}

/// Extents and layouts.
#[derive(Clone, Copy)]
struct Grouped {
    filters: Filters,
    layouts: Layouts,
    groups: usize,
}

impl Grouped {
    /// Input and output channels of a group.
    const fn of_group(&self) -> [usize; 2] {
        [self.filters.inputs / self.groups, self.filters.outputs / self.groups]
    }

    const fn weights(&self) -> usize {
        self.filters.weights() / self.groups
    }

    const fn is_depthwise(&self) -> bool {
        self.groups == self.filters.inputs && self.groups == self.filters.outputs
    }

    /// Every output pixel: where it lies, and where the input pixel under its first tap does.
    fn pixels(self, output: Layout, input: Layout) -> impl Iterator<Item = (usize, usize)> {
        let at = move |y, x| (output.pixel(y as isize, x as isize), self.filters.origin(input, [y, x]));
        (0..output.shape.height).flat_map(move |y| (0..output.shape.width).map(move |x| at(y, x)))
    }
}

impl<T: Number> GroupedConv<T> {
    /// `batch` is the largest number of samples.
    pub fn new(
        layouts: Layouts,
        (kernel, stride, before): (usize, usize, [usize; 2]),
        groups: usize,
        batch: usize,
    ) -> Self {
        let (inputs, outputs) = (layouts.input.shape.channels, layouts.output.shape.channels);
        let filters = Filters { kernel, stride, before, inputs, outputs };
        let window = Grouped { filters, layouts, groups };
        Self {
            window,
            method: if window.is_depthwise() {
                Method::Depthwise(Buffer::zeros(batch.div_ceil(SAMPLES_A_SHARE) * window.weights()))
            } else {
                Method::Blocks(Box::new(Blocks::new(window, batch)))
            },
            bias_gradient: BiasGradient::new(layouts.d_output, batch),
        }
    }
}

impl<T: Number> Layer<T> for GroupedConv<T> {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let window = self.window;
        if let Method::Blocks(blocks) = &mut self.method {
            return blocks.forward(pass);
        }
        let Layouts { input, output, .. } = window.layouts;
        let (weights, bias) = pass.params.split_at(window.weights());
        pass.output
            .chunks_exact_mut(output.sample_len())
            .zip(pass.input.chunks_exact(input.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| depthwise::forward(window, to, from, weights, bias));
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let window = self.window;
        let Layouts { input, d_input, d_output, .. } = window.layouts;
        let (d_weights, d_bias) = pass.grads.split_at_mut(window.weights());
        self.bias_gradient.compute(pass.team, pass.samples, pass.d_output, d_bias);
        let shares = match &mut self.method {
            Method::Blocks(blocks) => return blocks.backward(Backward { grads: d_weights, ..pass }),
            Method::Depthwise(shares) => shares,
        };
        let used = pass.samples.div_ceil(SAMPLES_A_SHARE);
        let x = pass.input[..pass.samples * input.sample_len()].chunks(SAMPLES_A_SHARE * input.sample_len());
        let g = pass.d_output.chunks(SAMPLES_A_SHARE * d_output.sample_len());
        shares.chunks_exact_mut(window.weights()).zip(x.zip(g)).share(pass.team, |(share, (x, g))| {
            share.fill(T::zero());
            let samples = x.chunks_exact(input.sample_len()).zip(g.chunks_exact(d_output.sample_len()));
            samples.for_each(|(x, g)| depthwise::weight_gradient(window, share, x, g));
        });
        add_groups(pass.team, shares.chunks_exact(window.weights()).take(used), d_weights);

        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let weights = &pass.params[..window.weights()];
        values
            .chunks_exact_mut(d_input.sample_len())
            .zip(pass.d_output.chunks_exact(d_output.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| {
                depthwise::input_gradient(window, to, from, weights, accumulate);
            });
    }
}
