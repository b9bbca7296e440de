//! Convolutions in groups, depthwise ones above all.

#![allow(unsafe_code, reason = "launches of kernels")]

use sam_model::Shape;

use super::{Backward, Choosing, Forward, Layer, conv::bias_gradient};
use crate::{
    ChosenKernel, CudaError, Grid, Product, Ptr,
    kernels::{
        Divisor, GroupedShape,
        columns::{CHUNK, THREADS, columns},
    },
};

/// A convolution whose inputs and outputs fall into groups of neighbours. Parameters are
/// `[filters row by row (rows, columns, channels of a group, filters), bias]`. In f32 whatever the precision of products is:
/// there is little to multiply for each value that is read.
pub(crate) struct GroupedConv {
    input: Shape,
    output: Shape,
    shape: GroupedShape,
    /// Values of a filter.
    patch: usize,
    bias: bool,
}

impl GroupedConv {
    /// `padding` is the rows and columns of zeros before the image.
    pub fn new(
        [input, output]: [Shape; 2],
        kernel: usize,
        stride: usize,
        padding: [usize; 2],
        groups: usize,
        bias: bool,
    ) -> Self {
        let shape = GroupedShape::new([input, output], kernel, stride, padding, groups);
        Self { input, output, shape, patch: kernel * kernel * (input.channels / groups), bias }
    }

    const fn weights(&self) -> usize {
        self.patch * self.output.channels
    }

    /// How the output's pixels are cut for the weight gradient: number of chunks, pixels of a chunk. By the shape alone, so
    /// that the bits are the same on all cards.
    fn chunks(&self, samples: usize) -> (usize, usize) {
        const MOST: usize = 256;
        let rows = samples * self.output.pixels();
        let chunk = rows.div_ceil(MOST).next_multiple_of(CHUNK);
        (rows.div_ceil(chunk), chunk)
    }

    fn weight_gradient(&self, pass: &Backward<'_>) -> Result<(), CudaError> {
        let kernels = pass.kernels;
        let (rows, filters) = (pass.samples * self.output.pixels(), self.output.channels);
        let (chunks, chunk) = self.chunks(pass.samples);
        let by_weights = Divisor::new(self.patch);
        let sums =
            (pass.input, pass.d_output, rows as u32, chunk as u32, by_weights, self.shape, pass.scratch);
        let grid = Grid::new([(chunks * self.patch) as u32, columns(filters) as u32, 1], THREADS);
        // SAFETY: input and gradient are of so many samples, the scratch memory has a place for each chunk's weights.
        unsafe { pass.device.launch(&kernels.grouped_conv_weight_sums, grid, sums)? };
        let n = self.weights() as u32;
        let arguments = (pass.scratch.reading(), n, chunks as u32, pass.grads);
        // SAFETY: as above; the layer's gradients begin with those of the filters.
        unsafe { pass.device.launch(&kernels.grouped_conv_weight_finish, Grid::over(n), arguments) }
    }
}

impl Layer for GroupedConv {
    fn choose(&mut self, choosing: &Choosing<'_>) -> Result<Vec<ChosenKernel>, CudaError> {
        let wanted = Product::ALL.into_iter();
        let wanted = wanted.filter(|&product| product != Product::InputGradient || choosing.input_gradient);
        let own = |product| ChosenKernel {
            layer: choosing.layer.to_owned(),
            product,
            vendor: false,
            reason: "convolutions in groups are this crate's".to_owned(),
        };
        Ok(wanted.map(own).collect())
    }

    fn forward(&mut self, pass: Forward<'_>) -> Result<(), CudaError> {
        let n = (pass.samples * self.output.len()) as u32;
        let bias = if self.bias { pass.params.add(self.weights()) } else { Ptr::NULL };
        let arguments = (pass.input, pass.params, bias, n, self.shape, pass.output);
        // SAFETY: the output has n values, the input is of as many samples, the parameters are the layer's own.
        unsafe { pass.device.launch(&pass.kernels.grouped_conv_forward, Grid::over(n), arguments) }
    }

    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError> {
        self.weight_gradient(&pass)?;
        if self.bias {
            bias_gradient(&pass, self.output, self.weights())?;
        }
        let Some(to) = pass.d_input else { return Ok(()) };
        let n = (pass.samples * self.input.len()) as u32;
        let arguments = (pass.d_output, pass.params, n, self.shape, i32::from(to.accumulate), to.values);
        // SAFETY: the input's gradient has n values and is no other's buffer.
        unsafe { pass.device.launch(&pass.kernels.grouped_conv_input_gradient, Grid::over(n), arguments) }
    }

    fn scratch_bytes(&self, samples: usize) -> usize {
        let (chunks, _) = self.chunks(samples);
        let sums = super::conv::bias_scratch(samples, self.output);
        (chunks * self.weights() * size_of::<f64>()).max(if self.bias { sums } else { 0 })
    }
}
