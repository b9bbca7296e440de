//! Layers with two inputs whose gradients differ.

#![allow(unsafe_code, reason = "launches of kernels")]

use sam_model::Shape;

use super::{
    InputGradient, On,
    global_pool::pixel_sums,
    pad_channels::{join, part},
};
use crate::{
    CudaError, Ptr, PtrMut,
    element::Value,
    kernels::{Coefficient, Divisor},
};

/// Operands of a forward pass of `samples` samples.
pub(crate) struct PairForward<'a> {
    pub on: On<'a>,
    pub samples: usize,
    pub inputs: [Ptr<Value>; 2],
    pub output: PtrMut<Value>,
    /// What was drawn, layer by layer.
    pub coefficients: Ptr<Coefficient>,
}

/// Operands of a backward pass to one of both inputs.
pub(crate) struct PairBackward<'a> {
    pub on: On<'a>,
    pub samples: usize,
    pub inputs: [Ptr<Value>; 2],
    pub d_output: Ptr<Value>,
    pub d_input: InputGradient,
    pub coefficients: Ptr<Coefficient>,
}

/// What a layer of two inputs does with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairFunction {
    /// The channels of both, the first one's before the second one's.
    Concat,
    /// The first, each channel times the second's value.
    Scale,
    /// Shares of both that are random in training, the first one's those from that coefficient on.
    ShakeShake { coefficients: usize },
}

/// A layer of two inputs.
pub(crate) struct Pair {
    pub function: PairFunction,
    pub inputs: [Shape; 2],
}

impl Pair {
    fn channels(&self) -> [usize; 2] {
        self.inputs.map(|input| input.channels)
    }

    /// Values of so many samples of the first input, and divisors by its channels, its pixels and both.
    fn extents(&self, samples: usize) -> (u32, [Divisor; 2]) {
        let [input, _] = self.inputs;
        let by = [input.channels, input.pixels()].map(Divisor::new);
        ((samples * input.len()) as u32, by)
    }

    pub fn forward(&self, pass: &PairForward<'_>) -> Result<(), CudaError> {
        let &PairForward { on, samples, inputs: [a, b], output, .. } = pass;
        let (device, kernels) = on;
        let (n, [by_channels, by_pixels]) = self.extents(samples);
        match self.function {
            PairFunction::Concat => {
                let [first, second] = self.channels();
                let pixels = samples * self.inputs[0].pixels();
                join(on, pixels, [first, first + second], [a, b], output)
            }
            PairFunction::Scale => {
                let arguments = (a, b, n, by_channels, by_pixels, 0, output);
                // SAFETY: input and output have n values, the second input one for each sample and channel.
                unsafe { device.launch(&kernels.scale, kernels.vectors(n), arguments) }
            }
            PairFunction::ShakeShake { coefficients } => {
                let own = pass.coefficients.add(coefficients);
                let arguments = (a, b, n, Divisor::new(self.inputs[0].len()), own, output);
                // SAFETY: inputs and output have n values, and there is a coefficient for each sample.
                unsafe { device.launch(&kernels.shake_shake_forward, kernels.vectors(n), arguments) }
            }
        }
    }

    /// The gradient of the input of that position.
    pub fn backward(&self, position: usize, pass: &PairBackward<'_>) -> Result<(), CudaError> {
        let &PairBackward { on, samples, inputs: [a, b], d_output, d_input, .. } = pass;
        let (device, kernels) = on;
        let (n, [by_channels, by_pixels]) = self.extents(samples);
        let accumulate = i32::from(d_input.accumulate);
        match self.function {
            PairFunction::Concat => {
                let [first, second] = self.channels();
                let (before, count) = if position == 0 { (0, first) } else { (first, second) };
                let pixels = samples * self.inputs[0].pixels();
                part(on, pixels, [before, count, first + second], d_output, d_input)
            }
            PairFunction::Scale if position == 0 => {
                let arguments = (d_output, b, n, by_channels, by_pixels, accumulate, d_input.values);
                // SAFETY: both gradients have n values, the second input one for each sample and channel.
                unsafe { device.launch(&kernels.scale, kernels.vectors(n), arguments) }
            }
            PairFunction::Scale => {
                let InputGradient { values, accumulate } = d_input;
                pixel_sums(on, samples, self.inputs[0], [a, d_output], 1.0, accumulate, values)
            }
            PairFunction::ShakeShake { coefficients } => {
                let own = pass.coefficients.add(coefficients);
                let by_len = Divisor::new(self.inputs[0].len());
                let arguments = (d_output, n, by_len, own, position as i32, accumulate, d_input.values);
                // SAFETY: both gradients have n values, and there is a coefficient for each sample.
                unsafe { device.launch(&kernels.shake_shake_backward, kernels.vectors(n), arguments) }
            }
        }
    }
}
