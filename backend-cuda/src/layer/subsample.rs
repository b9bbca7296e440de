//! Every few pixels of an image.

#![allow(unsafe_code, reason = "launches of kernels")]

use sam_model::Shape;

use super::{Backward, Forward, Layer};
use crate::{CudaError, kernels::SubsampleShape};

/// Every `stride`th pixel from `(shift, shift)` on; zeros beyond the image.
pub(crate) struct Subsample {
    shape: SubsampleShape,
    /// Values a sample of input and output.
    lens: [usize; 2],
}

impl Subsample {
    pub fn new([input, output]: [Shape; 2], stride: usize, shift: usize) -> Self {
        let shape = SubsampleShape::new([input, output], stride, shift);
        Self { shape, lens: [input.len(), output.len()] }
    }
}

impl Layer for Subsample {
    fn forward(&mut self, pass: Forward<'_>) -> Result<(), CudaError> {
        let n = (pass.samples * self.lens[1]) as u32;
        let arguments = (pass.input, n, self.shape, pass.output);
        // SAFETY: the output has n values, the input is of as many samples.
        unsafe { pass.device.launch(&pass.kernels.subsample_forward, pass.kernels.vectors(n), arguments) }
    }

    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError> {
        let Some(to) = pass.d_input else { return Ok(()) };
        let n = (pass.samples * self.lens[0]) as u32;
        let arguments = (pass.d_output, n, self.shape, i32::from(to.accumulate), to.values);
        // SAFETY: as above, the input's gradient having n values; it is no other's buffer.
        unsafe { pass.device.launch(&pass.kernels.subsample_backward, pass.kernels.vectors(n), arguments) }
    }
}
