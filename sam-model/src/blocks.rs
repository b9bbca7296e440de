//! Operations that several families of networks are made of.

use crate::Op;

/// A convolution of 3x3 without bias whose output is as large as its input at stride 1.
pub const fn conv3x3(channels: usize, stride: usize) -> Op {
    Op::Conv { channels, kernel: 3, stride, padding: 1, bias: false }
}

/// A convolution of 1x1 without bias.
pub const fn conv1x1(channels: usize, stride: usize) -> Op {
    Op::Conv { channels, kernel: 1, stride, padding: 0, bias: false }
}

/// Step of a block's first convolution: every stage but the first begins by halving the image.
pub const fn stride(stage: usize, block: usize) -> usize {
    if stage > 0 && block == 0 { 2 } else { 1 }
}
