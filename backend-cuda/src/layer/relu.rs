//! Rectified linear units where nothing before them could take them along.

#![allow(unsafe_code, reason = "launches of kernels")]

use super::{Backward, Forward, Layer};
use crate::CudaError;

/// `max(x, 0)`; the output may take the input's place, and so may their gradients.
pub(crate) struct Relu {
    /// Values a sample.
    pub len: usize,
}

impl Layer for Relu {
    fn forward(&mut self, pass: Forward<'_>) -> Result<(), CudaError> {
        let n = (pass.samples * self.len) as u32;
        let arguments = (pass.input, n, pass.output);
        // SAFETY: both have n entries; the kernel is made to work in place.
        unsafe { pass.device.launch(&pass.kernels.relu_forward, pass.kernels.vectors(n), arguments) }
    }

    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError> {
        let Some(to) = pass.d_input else { return Ok(()) };
        let n = (pass.samples * self.len) as u32;
        let arguments = (pass.output, pass.d_output, n, i32::from(to.accumulate), to.values);
        // SAFETY: as above.
        unsafe { pass.device.launch(&pass.kernels.relu_backward, pass.kernels.vectors(n), arguments) }
    }
}
