//! The geometry of a convolution in groups: the host's side of `kernels/grouped_conv.cu`.

use bytemuck::{Pod, Zeroable};
use sam_model::Shape;

use super::Divisor;

/// Sizes, and divisors by those that places are found with; of any number of samples.
#[derive(Clone, Copy, Debug, Zeroable, Pod)]
#[repr(C)]
pub(crate) struct GroupedShape {
    height: u32,
    width: u32,
    out_height: u32,
    out_width: u32,
    kernel: u32,
    padding: [u32; 2],
    by_stride: Divisor,
    by_channels: Divisor,
    by_width: Divisor,
    by_height: Divisor,
    by_filters: Divisor,
    by_out_width: Divisor,
    by_out_height: Divisor,
    by_group_channels: Divisor,
    by_group_filters: Divisor,
}

// SAFETY: the kernels' struct has the same fields.
#[allow(unsafe_code, reason = "vouches for the layout")]
unsafe impl crate::Argument for GroupedShape {}

impl GroupedShape {
    /// `padding` is the rows and columns of zeros before the image.
    pub fn new(
        [input, output]: [Shape; 2],
        kernel: usize,
        stride: usize,
        padding: [usize; 2],
        groups: usize,
    ) -> Self {
        Self {
            height: input.height as u32,
            width: input.width as u32,
            out_height: output.height as u32,
            out_width: output.width as u32,
            kernel: kernel as u32,
            padding: padding.map(|extent| extent as u32),
            by_stride: Divisor::new(stride),
            by_channels: Divisor::new(input.channels),
            by_width: Divisor::new(input.width),
            by_height: Divisor::new(input.height),
            by_filters: Divisor::new(output.channels),
            by_out_width: Divisor::new(output.width),
            by_out_height: Divisor::new(output.height),
            by_group_channels: Divisor::new(input.channels / groups),
            by_group_filters: Divisor::new(output.channels / groups),
        }
    }
}
