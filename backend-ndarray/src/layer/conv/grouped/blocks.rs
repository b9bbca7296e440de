//! Convolution of some neighbouring groups at a time, as one of a single group whose filters are zero between groups: a few times as
//! many products, but those of the micro-kernel.

use super::Grouped;
use crate::{
    Number,
    buffer::Buffer,
    kernel::{COLUMNS, MicroKernels},
    layer::{
        Backward, Forward, InputGradient, Layouts,
        conv::{
            Filters, forward::ForwardConv, input_gradient::InputGradients, weight_gradient::WeightGradient,
        },
    },
    product::Finish,
};

/// Computes one block of channels after the other.
pub struct Blocks<T> {
    window: Grouped,
    /// Of a block.
    filters: Filters,
    kernels: MicroKernels<T>,
    forward: ForwardConv<T>,
    input_gradient: InputGradients<T>,
    weight_gradient: WeightGradient<T>,
    /// A block's filters, then its biases.
    params: Buffer<T>,
    grads: Buffer<T>,
}

impl<T: Number> Blocks<T> {
    pub fn new(window: Grouped, batch: usize) -> Self {
        let ([inputs, outputs], groups) = (window.of_group(), window.groups);
        // As many as fill a tile's columns, in equal blocks.
        let fitting = |&together: &usize| groups.is_multiple_of(together) && together * outputs <= COLUMNS;
        let together = (1..=groups).rev().find(fitting).unwrap_or(1);
        let filters = Filters { inputs: together * inputs, outputs: together * outputs, ..window.filters };
        let Layouts { input, output, .. } = window.layouts;
        Self {
            window,
            filters,
            kernels: T::kernels(),
            forward: ForwardConv::new(filters, input, output),
            input_gradient: InputGradients::new(filters, window.layouts),
            weight_gradient: WeightGradient::new(filters, window.layouts, batch),
            params: Buffer::zeros(filters.weights() + filters.outputs),
            grads: Buffer::zeros(filters.weights()),
        }
    }

    const fn count(&self) -> usize {
        self.window.filters.inputs / self.filters.inputs
    }

    /// Every weight of a block: where it is among the block's and among all.
    fn weights(&self, block: usize) -> impl Iterator<Item = (usize, usize)> + use<T> {
        let ([inputs, outputs], filters, all) =
            (self.window.of_group(), self.filters, self.window.filters.outputs);
        (0..filters.kernel * filters.kernel * filters.inputs).flat_map(move |row| {
            let (tap, input) = (row / filters.inputs, row % filters.inputs);
            let first = input / inputs * outputs;
            let own = (tap * inputs + input % inputs) * all + block * filters.outputs;
            (first..first + outputs).map(move |output| (row * filters.outputs + output, own + output))
        })
    }

    /// Takes a block's filters and biases from all; returns how many numbers there are. Zeros between groups stay.
    fn load(&mut self, block: usize, weights: &[T], bias: &[T]) -> usize {
        for (to, from) in self.weights(block) {
            self.params[to] = weights[from];
        }
        let (dense, outputs) = (self.filters.weights(), self.filters.outputs);
        if bias.is_empty() {
            return dense;
        }
        self.params[dense..].copy_from_slice(&bias[block * outputs..][..outputs]);
        dense + outputs
    }

    pub fn forward(&mut self, pass: Forward<'_, T>) {
        let (weights, bias) = pass.params.split_at(self.window.weights());
        for block in 0..self.count() {
            let len = self.load(block, weights, bias);
            let input = &pass.input[block * self.filters.inputs..];
            let output = &mut pass.output[block * self.filters.outputs..];
            self.forward.run(pass.team, pass.samples, &self.params[..len], input, output, Finish::Nothing);
        }
    }

    /// All but the gradient of the biases.
    pub fn backward(&mut self, pass: Backward<'_, T>) {
        let mut d_input = pass.d_input;
        let weights = &pass.params[..self.window.weights()];
        for block in 0..self.count() {
            let Filters { inputs, outputs, .. } = self.filters;
            let (x, g) = (&pass.input[block * inputs..], &pass.d_output[block * outputs..]);
            self.weight_gradient.compute(pass.team, &self.kernels, pass.samples, x, g, &mut self.grads);
            for (from, to) in self.weights(block) {
                pass.grads[to] = self.grads[from];
            }
            let Some(InputGradient { values, accumulate }) = &mut d_input else { continue };
            let to = InputGradient { values: &mut values[block * inputs..], accumulate: *accumulate };
            let len = self.load(block, weights, &[]);
            self.input_gradient.compute(pass.team, &self.kernels, pass.samples, &self.params[..len], g, to);
        }
    }
}
