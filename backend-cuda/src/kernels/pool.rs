//! The geometry of pooling: the host's side of `kernels/pool.cuh`.

use bytemuck::{Pod, Zeroable};
use sam_model::Shape;

use super::Divisor;

/// Windows over an image.
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
#[allow(unsafe_code, reason = "vouches for the layout")]
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

    /// One over a window's pixels, those outside the image included.
    pub fn share(&self) -> f32 {
        1.0 / (self.window_height * self.window_width) as f32
    }
}
