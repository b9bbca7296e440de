//! Convolution in groups: each output channel reads the input channels of its own group only.

mod depthwise;

use super::{BiasGradient, Filters};
use crate::{
    Scalar,
    kernel::wide,
    layer::{Backward, Forward, InputGradient, Layer, Layouts, add_groups},
    layout::Layout,
    team::Share,
};
use depthwise::Block;

/// Samples whose gradients of the weights one task sums up: fewer than elsewhere, for here are few weights and much work
/// for each.
const SAMPLES_A_SHARE: usize = 4;

/// A convolution in groups, as plain loops over pixels and filter taps whose innermost run over channels. With as many groups
/// as channels (depthwise) a block of channels stays in registers.
pub struct GroupedConv<T> {
    window: Grouped,
    /// The gradient of some samples each, before they are added up in order.
    shares: Vec<T>,
    bias_gradient: BiasGradient<T>,
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

    /// Every filter tap: its number, and where its input pixel lies from that under the first.
    fn taps(self, input: Layout) -> impl Iterator<Item = (usize, usize)> + Clone {
        let Filters { kernel, inputs, .. } = self.filters;
        let at = move |r, s| (r * kernel + s, r * input.row_stride() + s * inputs);
        (0..kernel).flat_map(move |r| (0..kernel).map(move |s| at(r, s)))
    }

    /// Every product of a tap: numbers of input channel, weight and output channel.
    fn products(self, tap: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let ([inputs, outputs], all) = (self.of_group(), self.filters.outputs);
        (0..self.groups).flat_map(move |group| {
            (0..inputs).flat_map(move |i| {
                (group * outputs..(group + 1) * outputs)
                    .map(move |o| (group * inputs + i, (tap * inputs + i) * all + o, o))
            })
        })
    }
}

impl<T: Scalar> GroupedConv<T> {
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
            shares: vec![T::zero(); batch.div_ceil(SAMPLES_A_SHARE) * window.weights()],
            bias_gradient: BiasGradient::new(layouts.d_output, batch),
        }
    }
}

impl<T: Scalar> Layer<T> for GroupedConv<T> {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let window = self.window;
        let Layouts { input, output, .. } = window.layouts;
        let (weights, bias) = pass.params.split_at(window.weights());
        pass.output
            .chunks_exact_mut(output.sample_len())
            .zip(pass.input.chunks_exact(input.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| {
                if window.is_depthwise() {
                    depthwise::forward(window, to, from, weights, bias);
                } else {
                    forward(window, to, from, weights, bias);
                }
            });
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let window = self.window;
        let Layouts { input, d_input, d_output, .. } = window.layouts;
        let (d_weights, d_bias) = pass.grads.split_at_mut(window.weights());
        let used = pass.samples.div_ceil(SAMPLES_A_SHARE);
        let x = pass.input[..pass.samples * input.sample_len()].chunks(SAMPLES_A_SHARE * input.sample_len());
        let g = pass.d_output.chunks(SAMPLES_A_SHARE * d_output.sample_len());
        self.shares.chunks_exact_mut(window.weights()).zip(x.zip(g)).share(pass.team, |(share, (x, g))| {
            share.fill(T::zero());
            let samples = x.chunks_exact(input.sample_len()).zip(g.chunks_exact(d_output.sample_len()));
            for (x, g) in samples {
                if window.is_depthwise() {
                    depthwise::weight_gradient(window, share, x, g);
                } else {
                    weight_gradient(window, share, x, g);
                }
            }
        });
        add_groups(pass.team, self.shares.chunks_exact(window.weights()).take(used), d_weights);
        self.bias_gradient.compute(pass.team, pass.samples, pass.d_output, d_bias);

        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let weights = &pass.params[..window.weights()];
        values
            .chunks_exact_mut(d_input.sample_len())
            .zip(pass.d_output.chunks_exact(d_output.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| {
                if window.is_depthwise() {
                    depthwise::input_gradient(window, to, from, weights, accumulate);
                } else {
                    if !accumulate {
                        d_input.clear(to);
                    }
                    input_gradient(window, to, from, weights);
                }
            });
    }
}

wide! {
fn forward(window: Grouped, to: &mut [T], from: &[T], weights: &[T], bias: &[T]) {
    let Layouts { input, output, .. } = window.layouts;
    for (at, origin) in window.pixels(output, input) {
        let to = &mut to[at..][..output.shape.channels];
        Block::start(to, bias);
        for (tap, offset) in window.taps(input) {
            let from = &from[origin + offset..][..input.shape.channels];
            for (i, w, o) in window.products(tap) {
                to[o] += from[i] * weights[w];
            }
        }
    }
}
}

wide! {
fn weight_gradient(window: Grouped, to: &mut [T], x: &[T], g: &[T]) {
    let Layouts { input, d_output, .. } = window.layouts;
    for (at, origin) in window.pixels(d_output, input) {
        let g = &g[at..][..d_output.shape.channels];
        for (tap, offset) in window.taps(input) {
            let x = &x[origin + offset..][..input.shape.channels];
            for (i, w, o) in window.products(tap) {
                to[w] += x[i] * g[o];
            }
        }
    }
}
}

wide! {
/// Adds each output's share to the pixels that it was made of.
fn input_gradient(window: Grouped, to: &mut [T], g: &[T], weights: &[T]) {
    let Layouts { d_input, d_output, .. } = window.layouts;
    let Filters { kernel, stride, before, inputs, .. } = window.filters;
    let (height, width) = (d_output.shape.height, d_output.shape.width);
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let g = &g[d_output.pixel(y as isize, x as isize)..][..d_output.shape.channels];
        for (r, s) in (0..kernel).flat_map(|r| (0..kernel).map(move |s| (r, s))) {
            let at_y = (y * stride + r).checked_sub(before[0]).filter(|&at| at < d_input.shape.height);
            let at_x = (x * stride + s).checked_sub(before[1]).filter(|&at| at < d_input.shape.width);
            let (Some(at_y), Some(at_x)) = (at_y, at_x) else { continue };
            let to = &mut to[d_input.pixel(at_y as isize, at_x as isize)..][..inputs];
            for (i, w, o) in window.products(r * kernel + s) {
                to[i] += g[o] * weights[w];
            }
        }
    }
}
}
