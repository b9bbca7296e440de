//! Operations that several families of networks are made of.

use crate::{BatchNorm, Op, Padding};

/// Batch normalisation of the SAM authors' networks.
pub const FLAX_NORM: Op = Op::BatchNorm(BatchNorm::FLAX);

/// A convolution of 3x3 without bias whose output is as large as its input at stride 1; one pixel of padding on each side.
pub const fn conv3x3(channels: usize, stride: usize) -> Op {
    Op::Conv { channels, kernel: 3, stride, padding: Padding::Explicit(1), groups: 1, bias: false }
}

/// A convolution of 1x1 without bias.
pub const fn conv1x1(channels: usize, stride: usize) -> Op {
    Op::Conv { channels, kernel: 1, stride, padding: Padding::Explicit(0), groups: 1, bias: false }
}

/// A convolution without bias, padded as TensorFlow's and JAX's "SAME".
pub const fn conv(channels: usize, kernel: usize, stride: usize) -> Op {
    Op::Conv { channels, kernel, stride, padding: Padding::Same, groups: 1, bias: false }
}

/// The mean of squares of `stride` pixels that tile the image; the last ones reach over the border of an odd extent.
pub const fn mean_of_squares(stride: usize) -> Op {
    Op::AvgPool { size: stride, stride, padding: Padding::Same }
}

/// Step of a block's first convolution: every stage but the first begins by halving the image.
pub const fn stride(stage: usize, block: usize) -> usize {
    if stage > 0 && block == 0 { 2 } else { 1 }
}
