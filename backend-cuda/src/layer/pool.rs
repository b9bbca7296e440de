//! Pooling: maxima and means over windows.

#![allow(unsafe_code, reason = "launches of kernels")]

use super::{Backward, Forward, Layer};
use crate::{CudaError, Device, DeviceVec, kernels::PoolShape};

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
        unsafe { pass.device.launch(&pass.kernels.max_pool_forward, pass.kernels.vectors(n), arguments) }
    }

    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError> {
        let Some(to) = pass.d_input else { return Ok(()) };
        let n = (pass.samples * self.inputs) as u32;
        let chosen = self.chosen.view().ptr();
        let arguments = (pass.d_output, chosen, n, self.shape, i32::from(to.accumulate), to.values);
        // SAFETY: as above, the input's gradient having n entries; it is no other's buffer.
        unsafe { pass.device.launch(&pass.kernels.max_pool_backward, pass.kernels.vectors(n), arguments) }
    }
}

/// Mean of each window, zeros outside the image included.
pub(crate) struct AvgPool {
    pub shape: PoolShape,
    /// Values a sample of input and output.
    pub lens: [usize; 2],
}

impl Layer for AvgPool {
    fn forward(&mut self, pass: Forward<'_>) -> Result<(), CudaError> {
        let n = (pass.samples * self.lens[1]) as u32;
        let arguments = (pass.input, n, self.shape, self.shape.share(), pass.output);
        // SAFETY: the output has n entries, the input is of as many samples.
        unsafe { pass.device.launch(&pass.kernels.avg_pool_forward, pass.kernels.vectors(n), arguments) }
    }

    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError> {
        let Some(to) = pass.d_input else { return Ok(()) };
        let n = (pass.samples * self.lens[0]) as u32;
        let arguments =
            (pass.d_output, n, self.shape, self.shape.share(), i32::from(to.accumulate), to.values);
        // SAFETY: as above, the input's gradient having n entries; it is no other's buffer.
        unsafe { pass.device.launch(&pass.kernels.avg_pool_backward, pass.kernels.vectors(n), arguments) }
    }
}
