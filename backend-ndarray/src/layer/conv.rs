//! Convolution as three gathered products on the images themselves: forward, input gradient, weight gradient.
//!
//! The parameters are `[W (kernel rows x kernel columns x inputs x outputs), b]`. A kernel row's columns and input
//! channels lie behind one another both in W and, channels last, in the image: one run of products.

mod gather;
mod input_gradient;
mod weight_gradient;

use super::{Backward, Forward, GROUP, Layer};
use crate::{
    Scalar,
    kernel::{COLUMNS, MicroKernels, Start, pack_panels},
    layout::Layout,
};
use gather::Gather;
use input_gradient::InputGradients;
use rayon::prelude::*;
use weight_gradient::WeightGradient;

/// Layouts of a convolution's four tensors.
#[derive(Clone, Copy)]
pub struct ConvLayouts {
    pub input: Layout,
    pub d_input: Layout,
    pub output: Layout,
    pub d_output: Layout,
}

/// Extents of the filters.
#[derive(Clone, Copy)]
struct Filters {
    kernel: usize,
    stride: usize,
    padding: usize,
    inputs: usize,
    outputs: usize,
}

impl Filters {
    const fn weights(&self) -> usize {
        self.kernel * self.kernel * self.inputs * self.outputs
    }

    /// Where the image's pixel that output pixel `y` (or `x`) starts from lies; negative in the halo.
    const fn origin(&self, output: usize) -> isize {
        (output * self.stride) as isize - self.padding as isize
    }
}

/// A 2-D convolution.
pub struct Conv<T> {
    filters: Filters,
    layouts: ConvLayouts,
    kernels: MicroKernels<T>,
    forward: Gather,
    packed: Vec<T>,
    input_gradient: InputGradients<T>,
    weight_gradient: WeightGradient<T>,
}

impl<T: Scalar> Conv<T> {
    /// `batch` is the largest number of samples.
    pub fn new(layouts: ConvLayouts, kernel: usize, stride: usize, padding: usize, batch: usize) -> Self {
        let (inputs, outputs) = (layouts.input.shape.channels, layouts.output.shape.channels);
        let filters = Filters { kernel, stride, padding, inputs, outputs };
        let forward = Self::forward_gather(filters, layouts);
        Self {
            filters,
            layouts,
            kernels: T::kernels(),
            packed: forward.panels(outputs),
            forward,
            input_gradient: InputGradients::new(filters, layouts),
            weight_gradient: WeightGradient::new(filters, layouts, batch),
        }
    }

    /// Halo that the gradient of the output needs, for an image of `height x width`.
    pub fn gradient_halo(
        kernel: usize,
        stride: usize,
        padding: usize,
        input: [usize; 2],
        output: [usize; 2],
    ) -> usize {
        input_gradient::halo(kernel, stride, padding, input, output)
    }

    fn forward_gather(filters: Filters, layouts: ConvLayouts) -> Gather {
        let Filters { kernel, inputs, .. } = filters;
        let ConvLayouts { input, output, .. } = layouts;
        let (height, width) = (output.shape.height, output.shape.width);
        let pixels = (0..height).flat_map(move |y| (0..width).map(move |x| (y, x)));
        Gather::new(
            pixels.map(|(y, x)| {
                (input.pixel(filters.origin(y), filters.origin(x)), output.pixel(y as isize, x as isize))
            }),
            [input.sample_len(), output.sample_len()],
            (0..kernel).map(|r| r * input.row_stride()),
            kernel,
            inputs,
        )
    }
}

impl<T: Scalar> Layer<T> for Conv<T> {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let Filters { outputs, .. } = self.filters;
        let (weights, bias) = pass.params.split_at(self.filters.weights());
        pack_panels(&mut self.packed, self.forward.depth(), outputs, |k, j| weights[k * outputs + j]);
        let start = if bias.is_empty() { Start::Zero } else { Start::Bias(bias) };
        let (from, to) = (self.layouts.input.sample_len(), self.layouts.output.sample_len());
        pass.output[..pass.samples * to]
            .par_chunks_mut(GROUP * to)
            .zip(pass.input.par_chunks(GROUP * from))
            .for_each(|(output, input)| {
                let samples = output.len() / to;
                self.forward.multiply(&self.kernels, samples, input, &self.packed, output, outputs, start);
            });
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let weights = self.filters.weights();
        self.weight_gradient.compute(&self.kernels, pass.samples, pass.input, pass.d_output, pass.grads);
        if let Some(d_input) = pass.d_input {
            let params = &pass.params[..weights];
            self.input_gradient.compute(&self.kernels, pass.samples, params, pass.d_output, d_input);
        }
    }
}

const _: () = assert!(COLUMNS * 4 == 64, "a panel's row in f32 is a cache line");
