//! Which pixels stay: the host's side of `kernels/subsample.cu`.

use bytemuck::{Pod, Zeroable};
use sam_model::Shape;

use super::Divisor;

/// Every few pixels of an image, from one of the first on.
#[derive(Clone, Copy, Debug, Zeroable, Pod)]
#[repr(C)]
pub(crate) struct SubsampleShape {
    height: u32,
    width: u32,
    out_height: u32,
    out_width: u32,
    shift: u32,
    by_stride: Divisor,
    by_channels: Divisor,
    by_width: Divisor,
    by_height: Divisor,
    by_out_width: Divisor,
    by_out_height: Divisor,
}

// SAFETY: the kernels' struct has the same fields.
#[allow(unsafe_code, reason = "vouches for the layout")]
unsafe impl crate::Argument for SubsampleShape {}

impl SubsampleShape {
    /// Every `stride`th pixel from `(shift, shift)` on.
    pub fn new([input, output]: [Shape; 2], stride: usize, shift: usize) -> Self {
        Self {
            height: input.height as u32,
            width: input.width as u32,
            out_height: output.height as u32,
            out_width: output.width as u32,
            shift: shift as u32,
            by_stride: Divisor::new(stride),
            by_channels: Divisor::new(input.channels),
            by_width: Divisor::new(input.width),
            by_height: Divisor::new(input.height),
            by_out_width: Divisor::new(output.width),
            by_out_height: Divisor::new(output.height),
        }
    }
}
