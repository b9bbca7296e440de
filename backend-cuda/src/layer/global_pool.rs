//! The mean of a whole image, channel by channel.

#![allow(unsafe_code, reason = "launches of kernels")]

use sam_model::Shape;

use super::{AvgPool, Backward, Forward, Layer, On};
use crate::{
    CudaError, Ptr, PtrMut,
    element::Value,
    kernels::{PoolShape, columns::across},
};

/// Mean over all pixels. Backwards it is a window as large as the image.
pub(crate) struct GlobalAvgPool {
    image: Shape,
    window: AvgPool,
}

impl GlobalAvgPool {
    pub fn new(input: Shape, output: Shape) -> Self {
        let shape = PoolShape::new(input, output, [input.height, input.width], 1, [0, 0]);
        Self { image: input, window: AvgPool { shape, lens: [input.len(), output.len()] } }
    }
}

/// Of each sample and channel `share` times the sum over pixels of `x`, times `g` if that is not null; written, or added.
pub(super) fn pixel_sums(
    (device, kernels): On<'_>,
    samples: usize,
    image: Shape,
    [x, g]: [Ptr<Value>; 2],
    share: f64,
    accumulate: bool,
    to: PtrMut<Value>,
) -> Result<(), CudaError> {
    let (pixels, channels) = (image.pixels() as u32, image.channels as u32);
    let grid = across(samples, image.channels, kernels.element);
    let arguments = (x, g, pixels, channels, share, i32::from(accumulate), to);
    // SAFETY: the caller's inputs are that many images, its output has a value for each sample and channel.
    unsafe { device.launch(&kernels.pixel_sums, grid, arguments) }
}

impl Layer for GlobalAvgPool {
    fn forward(&mut self, pass: Forward<'_>) -> Result<(), CudaError> {
        let (image, share) = (self.image, 1.0 / self.image.pixels() as f64);
        let on = (pass.device, pass.kernels);
        pixel_sums(on, pass.samples, image, [pass.input, Ptr::NULL], share, false, pass.output)
    }

    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError> {
        self.window.backward(pass)
    }
}
