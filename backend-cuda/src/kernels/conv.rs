//! The geometry of a convolution: the host's side of `kernels/conv.cuh`.

use bytemuck::{Pod, Zeroable};

use super::Divisor;
use crate::geometry::Geometry;

/// Sizes, and divisors by those that places are found with.
#[derive(Clone, Copy, Debug, Zeroable, Pod)]
#[repr(C)]
pub(crate) struct ConvShape {
    samples: u32,
    height: u32,
    width: u32,
    pub channels: u32,
    out_height: u32,
    out_width: u32,
    pub filters: u32,
    pub kernel: u32,
    padding: [u32; 2],
    by_stride: Divisor,
    by_kernel: Divisor,
    by_channels: Divisor,
    by_filters: Divisor,
    by_width: Divisor,
    by_pixels: Divisor,
    by_out_width: Divisor,
    by_out_pixels: Divisor,
}

// SAFETY: the kernels' struct has the same fields.
#[allow(unsafe_code, reason = "vouches for the layout")]
unsafe impl crate::Argument for ConvShape {}

impl ConvShape {
    /// For no samples yet.
    pub fn new(geometry: &Geometry) -> Self {
        let Geometry { input, output, kernel, stride, padding, .. } = *geometry;
        Self {
            samples: 0,
            height: input.height as u32,
            width: input.width as u32,
            channels: input.channels as u32,
            out_height: output.height as u32,
            out_width: output.width as u32,
            filters: output.channels as u32,
            kernel: kernel as u32,
            padding: padding.map(|extent| extent as u32),
            by_stride: Divisor::new(stride),
            by_kernel: Divisor::new(kernel),
            by_channels: Divisor::new(input.channels),
            by_filters: Divisor::new(output.channels),
            by_width: Divisor::new(input.width),
            by_pixels: Divisor::new(input.pixels()),
            by_out_width: Divisor::new(output.width),
            by_out_pixels: Divisor::new(output.pixels()),
        }
    }

    /// Of a batch of so many.
    pub fn with_samples(self, samples: usize) -> Self {
        Self { samples: samples as u32, ..self }
    }
}
