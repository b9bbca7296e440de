//! A convolution with the batch normalisation behind it folded in, for evaluation.

use super::{Filters, forward::ForwardConv};
use crate::{
    Number,
    buffer::Buffer,
    layer::{Forward, batch_norm},
    layout::Layout,
    product::Finish,
};
use num_traits::Zero;

/// A convolution and the batch normalisation behind it, with its ReLU, as one convolution with biases, for evaluation
/// (running statistics are constants): `W' = W f` and `b' = (b - mean) f + beta` with
/// `f = gamma / sqrt(variance + epsilon)` of the output channel. Saves a sweep over the output.
pub struct FoldedConv<T> {
    conv: ForwardConv<T>,
    weights: usize,
    outputs: usize,
    finish: Finish,
    epsilon: f64,
    /// W' and b'.
    params: Buffer<T>,
}

impl<T: Number> FoldedConv<T> {
    /// From the convolution's input to the normalisation's output.
    pub fn new(
        input: Layout,
        output: Layout,
        kernel: usize,
        stride: usize,
        before: [usize; 2],
        (relu, epsilon): (bool, f64),
    ) -> Self {
        let (inputs, outputs) = (input.shape.channels, output.shape.channels);
        let filters = Filters { kernel, stride, before, inputs, outputs };
        let weights = filters.weights();
        Self {
            conv: ForwardConv::new(filters, input, output),
            weights,
            outputs,
            finish: if relu { Finish::Relu } else { Finish::Nothing },
            epsilon,
            params: Buffer::zeros(weights + outputs),
        }
    }

    /// `pass` is of the convolution, but for its output and for the statistics, which are the normalisation's;
    /// `norm` are the normalisation's parameters.
    pub fn forward(&mut self, pass: Forward<'_, T>, norm: &[T]) {
        let (weights, bias) = pass.params.split_at(self.weights);
        let (folded, folded_bias) = self.params.split_at_mut(self.weights);
        let (mean, variance) = pass.statistics.split_at(self.outputs);
        let (gamma, beta) = norm.split_at(self.outputs);
        let epsilon = self.epsilon;
        let factor =
            |o: usize| gamma[o].wide() * batch_norm::inverse_deviation::<T>(variance[o].wide(), epsilon);
        for (o, to) in folded_bias.iter_mut().enumerate() {
            let own = bias.get(o).map_or(T::Wide::zero(), |bias| bias.wide());
            *to = T::narrow((own - mean[o].wide()) * factor(o) + beta[o].wide());
        }
        for o in 0..self.outputs {
            let factor = factor(o);
            let own = weights.iter().skip(o).step_by(self.outputs);
            for (to, from) in folded.iter_mut().skip(o).step_by(self.outputs).zip(own) {
                *to = T::narrow(from.wide() * factor);
            }
        }
        self.conv.run(pass.team, pass.samples, &self.params, pass.input, pass.output, self.finish);
    }
}
