//! The operations of networks: what each takes, makes and owns.

use crate::{Init, Parameter, Role, Shape, ShapeError};
use alloc::{vec, vec::Vec};
use core::ops::RangeInclusive;

/// An operation of a network on one sample's tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// The same values as a vector, row by row, pixel by pixel.
    Flatten,
    /// `y = x W + b` on a vector.
    Dense {
        /// Length of `y`.
        outputs: usize,
    },
    /// The same, with the network's logits as `y`. Its weights start at zero, so that every class begins equally likely
    /// whatever the layers before have done to the scale: weights of He et al. would begin with confident guesses,
    /// from which SAM does not always recover.
    Classify {
        /// Number of classes.
        classes: usize,
    },
    /// Cross-correlation with square filters, zeros outside the image:
    /// `y[i, j, o] = b[o] + sum x[i*stride + r - padding, j*stride + s - padding, c] * w[r, s, c, o]`.
    Conv {
        /// Output channels.
        channels: usize,
        /// Extent of a filter in both directions.
        kernel: usize,
        /// Step between outputs in both directions.
        stride: usize,
        /// Rows and columns of zeros on each side.
        padding: usize,
        /// Whether each output channel has a bias.
        bias: bool,
    },
    /// Batch normalisation per channel (Ioffe and Szegedy 2015), with the constants of [`batch_norm`](crate::batch_norm).
    BatchNorm,
    /// `max(x, 0)`.
    Relu,
    /// `x / (1 + e^-x)`, value by value (Ramachandran, Zoph and Le 2017); SiLU in PyTorch.
    Swish,
    /// Largest value of each window, per channel. No padding; a remainder at the border is not read.
    MaxPool {
        /// Extent of a window in both directions.
        size: usize,
        /// Step between windows in both directions.
        stride: usize,
    },
    /// Mean of each window, per channel. No padding; a remainder at the border is not read.
    AvgPool {
        /// Extent of a window in both directions.
        size: usize,
        /// Step between windows in both directions.
        stride: usize,
    },
    /// Mean over all pixels, per channel: a vector.
    GlobalAvgPool,
    /// Sum of two tensors of one shape.
    Add,
}

/// What an operation makes of inputs of given shapes, and what it owns for that.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// Shape of what it makes.
    pub output: Shape,
    /// Tensors that are trained, in the order of the flat arena.
    pub parameters: Vec<Parameter>,
    /// Tensors that follow the batches, in the order of their flat arena.
    pub statistics: Vec<Parameter>,
    /// Multiply-add pairs of the forward pass for one sample: what a backend's speed is measured against.
    pub multiply_adds: u64,
}

impl Signature {
    /// Of an operation that owns nothing and multiplies nothing by weights.
    const fn plain(output: Shape) -> Self {
        Self { output, parameters: Vec::new(), statistics: Vec::new(), multiply_adds: 0 }
    }

    /// Of an operation whose every output is a weighted sum of `fan_in` inputs, with a bias or without.
    fn weighted(output: Shape, fan_in: usize, weight: Parameter, bias: bool) -> Self {
        let factors = [fan_in, output.height, output.width, output.channels];
        let multiply_adds = factors.iter().fold(1u64, |product, &n| product.saturating_mul(n as u64));
        let bias = bias.then(|| Parameter::constant(Role::Bias, 0.0, output.channels));
        let parameters = [weight].into_iter().chain(bias).collect();
        Self { parameters, multiply_adds, ..Self::plain(output) }
    }
}

/// Number of windows of extent `size`, `stride` apart, in `extent` with `padding` more on both sides.
fn windows(extent: usize, size: usize, stride: usize, padding: usize) -> Option<usize> {
    let extent = padding.checked_mul(2)?.checked_add(extent)?;
    let steps = extent.checked_sub(size)?.checked_div(stride)?;
    (size > 0).then_some(steps + 1)
}

impl Op {
    /// How many tensors it reads.
    #[must_use]
    pub const fn arity(&self) -> RangeInclusive<usize> {
        match self {
            Self::Flatten
            | Self::Dense { .. }
            | Self::Classify { .. }
            | Self::Conv { .. }
            | Self::BatchNorm
            | Self::Relu
            | Self::Swish
            | Self::MaxPool { .. }
            | Self::AvgPool { .. }
            | Self::GlobalAvgPool => 1..=1,
            Self::Add => 2..=2,
        }
    }

    /// What it makes of tensors of these shapes, and what it owns for that: the one thing that every backend goes by.
    ///
    /// # Errors
    /// When it can't be applied to them.
    pub fn signature(&self, inputs: &[Shape]) -> Result<Signature, ShapeError> {
        let refuse = |expected| Err(ShapeError { op: *self, inputs: inputs.to_vec(), expected });
        let &[input, ..] = inputs else { return refuse("at least one tensor") };
        if !self.arity().contains(&inputs.len()) {
            return refuse(if *self.arity().end() == 1 { "one tensor" } else { "two tensors" });
        }
        if inputs.iter().any(Shape::is_empty) {
            return refuse("a tensor with at least one value");
        }
        if !inputs.iter().all(Shape::is_countable) {
            return refuse("tensors whose values can be counted");
        }
        Ok(match *self {
            Self::Flatten => Signature::plain(Shape::vector(input.len())),
            Self::Dense { outputs: 0 } | Self::Classify { classes: 0 } => {
                return refuse("at least one output");
            }
            Self::Dense { .. } | Self::Classify { .. } if input.pixels() != 1 => {
                return refuse("a vector (flatten it first)");
            }
            Self::Dense { outputs } => {
                let weight = Parameter::matrix(input.channels, outputs, Init::He { fan_in: input.channels });
                Signature::weighted(Shape::vector(outputs), input.channels, weight, true)
            }
            Self::Classify { classes } => {
                let weight = Parameter::matrix(input.channels, classes, Init::Constant(0.0));
                Signature::weighted(Shape::vector(classes), input.channels, weight, true)
            }
            Self::Conv { channels: 0, .. } => return refuse("at least one output channel"),
            Self::Conv { kernel, padding, .. } if padding >= kernel => {
                return refuse("a padding smaller than the kernel");
            }
            Self::Conv { channels, kernel, stride, padding, bias } => {
                let extent = |n| windows(n, kernel, stride, padding);
                let (Some(height), Some(width)) = (extent(input.height), extent(input.width)) else {
                    return refuse("an image at least as large as the kernel, and a stride of at least 1");
                };
                let fan_in = kernel.saturating_mul(kernel).saturating_mul(input.channels);
                let weight = Parameter::filters(kernel, input.channels, channels, Init::He { fan_in });
                Signature::weighted(Shape::new(height, width, channels), fan_in, weight, bias)
            }
            Self::BatchNorm => {
                let vector = |role, value| Parameter::constant(role, value, input.channels);
                Signature {
                    parameters: vec![vector(Role::Scale, 1.0), vector(Role::Shift, 0.0)],
                    statistics: vec![vector(Role::RunningMean, 0.0), vector(Role::RunningVariance, 1.0)],
                    ..Signature::plain(input)
                }
            }
            Self::MaxPool { size, stride } | Self::AvgPool { size, stride } => {
                let extent = |n| windows(n, size, stride, 0);
                let (Some(height), Some(width)) = (extent(input.height), extent(input.width)) else {
                    return refuse("an image at least as large as the window, and a stride of at least 1");
                };
                Signature::plain(Shape::new(height, width, input.channels))
            }
            Self::GlobalAvgPool => Signature::plain(Shape::vector(input.channels)),
            Self::Add if inputs.iter().any(|&other| other != input) => {
                return refuse("two tensors of one shape");
            }
            Self::Relu | Self::Swish | Self::Add => Signature::plain(input),
        })
    }
}
