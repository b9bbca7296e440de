//! Channels of zeros behind an image's own.

#![allow(unsafe_code, reason = "launches of kernels")]

use super::{Backward, Forward, InputGradient, Layer, On};
use crate::{CudaError, Ptr, PtrMut, element::Value, kernels::Divisor};

/// The shortcut "A" of He et al. 2016.
pub(crate) struct PadChannels {
    pub pixels: usize,
    /// Channels of input and output.
    pub channels: [usize; 2],
}

/// Of `pixels` pixels `first` channels of `a`, then those of `b` or, if that is null, zeros: `channels` altogether.
pub(super) fn join(
    (device, kernels): On<'_>,
    pixels: usize,
    [first, channels]: [usize; 2],
    [a, b]: [Ptr<Value>; 2],
    to: PtrMut<Value>,
) -> Result<(), CudaError> {
    let n = (pixels * channels) as u32;
    let arguments = (a, b, n, Divisor::new(channels), first as u32, to);
    // SAFETY: the caller's output has n values, its inputs their channels of as many pixels.
    unsafe { device.launch(&kernels.channels_join, kernels.vectors(n), arguments) }
}

/// Of `pixels` pixels of `channels` channels `count`, those from `before` on.
pub(super) fn part(
    (device, kernels): On<'_>,
    pixels: usize,
    [before, count, channels]: [usize; 3],
    from: Ptr<Value>,
    to: InputGradient,
) -> Result<(), CudaError> {
    let n = (pixels * count) as u32;
    let arguments =
        (from, n, Divisor::new(count), channels as u32, before as u32, i32::from(to.accumulate), to.values);
    // SAFETY: the caller's output has n values and is another buffer than the input, which has all channels.
    unsafe { device.launch(&kernels.channels_part, kernels.vectors(n), arguments) }
}

impl Layer for PadChannels {
    fn forward(&mut self, pass: Forward<'_>) -> Result<(), CudaError> {
        let pixels = pass.samples * self.pixels;
        join((pass.device, pass.kernels), pixels, self.channels, [pass.input, Ptr::NULL], pass.output)
    }

    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError> {
        let Some(to) = pass.d_input else { return Ok(()) };
        let [own, all] = self.channels;
        part((pass.device, pass.kernels), pass.samples * self.pixels, [0, own, all], pass.d_output, to)
    }
}
