#![allow(unsafe_code, reason = "launches of kernels")]

use bytemuck::{Pod, Zeroable};
use sam_model::Shape;

use super::{Backward, Divisor, Forward, Layer};
use crate::{CudaError, Device, DeviceVec, Grid};

/// Windows over an image: the host's side of `kernels/pool.cuh`.
#[derive(Clone, Copy, Debug, Zeroable, Pod)]
#[repr(C)]
pub(crate) struct PoolShape {
    height: u32,
    width: u32,
    out_height: u32,
    out_width: u32,
    window_height: u32,
    window_width: u32,
    padding: [u32; 2],
    by_stride: Divisor,
    by_channels: Divisor,
    by_width: Divisor,
    by_height: Divisor,
    by_out_width: Divisor,
    by_out_height: Divisor,
}

// SAFETY: the kernels' struct has the same fields.
unsafe impl crate::Argument for PoolShape {}

impl PoolShape {
    /// Windows of the given height and width, the first of which begins so many rows and columns before the image.
    pub fn new(input: Shape, output: Shape, window: [usize; 2], stride: usize, padding: [usize; 2]) -> Self {
        Self {
            height: input.height as u32,
            width: input.width as u32,
            out_height: output.height as u32,
            out_width: output.width as u32,
            window_height: window[0] as u32,
            window_width: window[1] as u32,
            padding: padding.map(|extent| extent as u32),
            by_stride: Divisor::new(stride),
            by_channels: Divisor::new(input.channels),
            by_width: Divisor::new(input.width),
            by_height: Divisor::new(input.height),
            by_out_width: Divisor::new(output.width),
            by_out_height: Divisor::new(output.height),
        }
    }
}

/// Largest value of each window, of those inside the image; the first of equals gets the gradient.
pub(crate) struct MaxPool {
    shape: PoolShape,
    inputs: usize,
    outputs: usize,
    /// Which pixel of its window each output came from.
    chosen: DeviceVec<u32>,
}

impl MaxPool {
    pub fn new(
        device: &Device,
        shape: PoolShape,
        [inputs, outputs]: [usize; 2],
        batch: usize,
    ) -> Result<Self, CudaError> {
        Ok(Self { shape, inputs, outputs, chosen: DeviceVec::zeros(device, batch * outputs)? })
    }
}

impl Layer for MaxPool {
    fn forward(&mut self, pass: Forward<'_>) -> Result<(), CudaError> {
        let n = (pass.samples * self.outputs) as u32;
        let arguments = (pass.input, n, self.shape, self.chosen.view_mut().ptr(), pass.output);
        // SAFETY: output and choices have n entries, the input is of as many samples.
        unsafe { pass.device.launch(&pass.device.kernels().max_pool_forward, Grid::over(n), arguments) }
    }

    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError> {
        let Some(to) = pass.d_input else { return Ok(()) };
        let n = (pass.samples * self.inputs) as u32;
        let chosen = self.chosen.view().ptr();
        let arguments = (pass.d_output, chosen, n, self.shape, i32::from(to.accumulate), to.values);
        // SAFETY: as above, the input's gradient having n entries; it is no other's buffer.
        unsafe { pass.device.launch(&pass.device.kernels().max_pool_backward, Grid::over(n), arguments) }
    }
}

/// Mean of each window, zeros outside the image included.
pub(crate) struct AvgPool {
    pub shape: PoolShape,
    /// Values a sample of input and output.
    pub lens: [usize; 2],
}

impl AvgPool {
    fn share(&self) -> f32 {
        1.0 / (self.shape.window_height * self.shape.window_width) as f32
    }
}

impl Layer for AvgPool {
    fn forward(&mut self, pass: Forward<'_>) -> Result<(), CudaError> {
        let n = (pass.samples * self.lens[1]) as u32;
        let arguments = (pass.input, n, self.shape, self.share(), pass.output);
        // SAFETY: the output has n entries, the input is of as many samples.
        unsafe { pass.device.launch(&pass.device.kernels().avg_pool_forward, Grid::over(n), arguments) }
    }

    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError> {
        let Some(to) = pass.d_input else { return Ok(()) };
        let n = (pass.samples * self.lens[0]) as u32;
        let arguments = (pass.d_output, n, self.shape, self.share(), i32::from(to.accumulate), to.values);
        // SAFETY: as above, the input's gradient having n entries; it is no other's buffer.
        unsafe { pass.device.launch(&pass.device.kernels().avg_pool_backward, Grid::over(n), arguments) }
    }
}
