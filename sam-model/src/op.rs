//! The operations of networks: what each takes, makes and owns.

use crate::{BatchNorm, Init, Padding, Parameter, Role, Shape, ShapeError, Windows};
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
    /// `y[i, j, o] = b[o] + sum x[i*stride + r - before, j*stride + s - before, g*C + c] * w[r, s, c, o]`, where `g` is the
    /// group of output `o` and `C` the number of inputs of a group. The backward pass reads the input.
    Conv {
        /// Output channels.
        channels: usize,
        /// Extent of a filter in both directions.
        kernel: usize,
        /// Step between outputs in both directions.
        stride: usize,
        /// Zeros around the image.
        padding: Padding,
        /// Into how many groups inputs and outputs are divided, each of neighbours; an output reads the inputs of its own
        /// group. As many as input channels make a depthwise convolution.
        groups: usize,
        /// Whether each output channel has a bias.
        bias: bool,
    },
    /// Batch normalisation per channel (Ioffe and Szegedy 2015). The backward pass reads the input.
    BatchNorm(BatchNorm),
    /// `max(x, 0)`. The backward pass reads the output.
    Relu,
    /// `min(max(x, 0), 6)`, value by value; at 0 and 6 the slope is 0, as PyTorch's. The backward pass reads the input.
    Relu6,
    /// `x / (1 + e^-x)`, value by value (Ramachandran, Zoph and Le 2017); SiLU in PyTorch. The backward pass reads the input.
    Swish,
    /// `1 / (1 + e^-x)`, value by value. The backward pass reads the input.
    Sigmoid,
    /// Largest value of each window, per channel, of those inside the image. Without padding a remainder at the border is not
    /// read. Of equals the first in row order has the gradient.
    MaxPool {
        /// Extent of a window in both directions.
        size: usize,
        /// Step between windows in both directions.
        stride: usize,
        /// How far windows reach over the border.
        padding: Padding,
    },
    /// Mean of each window, per channel, with zeros outside the image, which count. Without padding a remainder at the
    /// border is not read.
    AvgPool {
        /// Extent of a window in both directions.
        size: usize,
        /// Step between windows in both directions.
        stride: usize,
        /// How far windows reach over the border.
        padding: Padding,
    },
    /// Mean over all pixels, per channel: a vector.
    GlobalAvgPool,
    /// Every `stride`th pixel from `(shift, shift)` on, `ceil(n / stride)` in a direction, zeros beyond the image:
    /// `y[i, j] = x[i*stride + shift, j*stride + shift]`.
    Subsample {
        /// Step between pixels in both directions.
        stride: usize,
        /// The first row and column.
        shift: usize,
    },
    /// The same image with channels of zeros behind its own: the shortcut "A" of He et al. 2016.
    PadChannels {
        /// Channels altogether.
        channels: usize,
    },
    /// Two images' channels, the first one's before the second one's.
    Concat,
    /// The first tensor, each channel times the second one's value: `y[i, j, c] = x[i, j, c] * s[c]` (squeeze-and-excitation,
    /// Hu et al. 2018). The backward pass reads both.
    Scale,
    /// Sum of two tensors of one shape.
    Add,
    /// Dropout (Srivastava et al. 2014): each value is 0 with probability `rate`, else `1 / (1 - rate)` times what it was. By
    /// expectation: unchanged. See [`random`](crate::random) for the numbers of this and the following.
    Dropout {
        /// Share of the values that are dropped: 0 to below 1.
        rate: f64,
    },
    /// Drop-connect as EfficientNet has it, stochastic depth (Huang et al. 2016): [`Op::Dropout`] of whole samples.
    DropConnect {
        /// Share of the samples that are dropped: 0 to below 1.
        rate: f64,
    },
    /// Shake-Shake (Gastaldi 2017): `alpha a + (1 - alpha) b` with alpha uniform in [0, 1) for each sample; the gradient is
    /// shared out by another such number (see [`BackwardCoefficients`](crate::random::BackwardCoefficients)). By expectation:
    /// the mean of both.
    ShakeShake,
    /// ShakeDrop (Yamada et al. 2018): unchanged with probability `keep`, else times alpha, uniform in [-1, 1), for each sample;
    /// the gradient then times another number, uniform in [0, 1) (see
    /// [`BackwardCoefficients`](crate::random::BackwardCoefficients)). By expectation: times `keep`.
    ShakeDrop {
        /// Share of the samples that are left as they are: 0 to 1.
        keep: f64,
    },
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

/// Whether windows reach over the border by less than they are long, so that each has a pixel of the image.
const fn is_inside(padding: Padding, size: usize) -> bool {
    match padding {
        Padding::Explicit(padding) => padding < size,
        Padding::Same => true,
    }
}

impl Op {
    /// A batch normalisation with the constants of PyTorch.
    pub const BATCH_NORM: Self = Self::BatchNorm(BatchNorm::PYTORCH);

    /// How many tensors it reads.
    #[must_use]
    pub const fn arity(&self) -> RangeInclusive<usize> {
        match self {
            Self::Flatten
            | Self::Dense { .. }
            | Self::Classify { .. }
            | Self::Conv { .. }
            | Self::BatchNorm(_)
            | Self::Relu
            | Self::Relu6
            | Self::Swish
            | Self::Sigmoid
            | Self::MaxPool { .. }
            | Self::AvgPool { .. }
            | Self::GlobalAvgPool
            | Self::Subsample { .. }
            | Self::PadChannels { .. }
            | Self::Dropout { .. }
            | Self::DropConnect { .. }
            | Self::ShakeDrop { .. } => 1..=1,
            Self::Concat | Self::Scale | Self::Add | Self::ShakeShake => 2..=2,
        }
    }

    /// Its windows along rows and along columns of an image of that shape, if it is a convolution or a pooling with windows, and
    /// has any.
    #[must_use]
    pub fn windows(&self, image: Shape) -> Option<[Windows; 2]> {
        match *self {
            Self::Conv { kernel: size, stride, padding, .. }
            | Self::MaxPool { size, stride, padding }
            | Self::AvgPool { size, stride, padding } => {
                let along = |extent| padding.windows(extent, size, stride);
                Some([along(image.height)?, along(image.width)?])
            }
            _ => None,
        }
    }

    /// Whether it draws random numbers in training.
    #[must_use]
    pub const fn is_random(&self) -> bool {
        matches!(
            self,
            Self::Dropout { .. } | Self::DropConnect { .. } | Self::ShakeShake | Self::ShakeDrop { .. }
        )
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
            Self::Conv { kernel, padding, .. } if !is_inside(padding, kernel) => {
                return refuse("a padding smaller than the kernel");
            }
            Self::Conv { channels, groups, .. }
                if groups == 0 || input.channels % groups != 0 || channels % groups != 0 =>
            {
                return refuse("groups that divide the input channels and the output channels");
            }
            Self::Conv { channels, kernel, groups, bias, .. } => {
                let Some([rows, columns]) = self.windows(input) else {
                    return refuse("an image at least as large as the kernel, and a stride of at least 1");
                };
                let inputs = input.channels / groups;
                let fan_in = kernel.saturating_mul(kernel).saturating_mul(inputs);
                let weight = Parameter::filters(kernel, inputs, channels, Init::He { fan_in });
                Signature::weighted(Shape::new(rows.count, columns.count, channels), fan_in, weight, bias)
            }
            Self::BatchNorm(_) => {
                let vector = |role, value| Parameter::constant(role, value, input.channels);
                Signature {
                    parameters: vec![vector(Role::Scale, 1.0), vector(Role::Shift, 0.0)],
                    statistics: vec![vector(Role::RunningMean, 0.0), vector(Role::RunningVariance, 1.0)],
                    ..Signature::plain(input)
                }
            }
            Self::MaxPool { size, padding, .. } | Self::AvgPool { size, padding, .. }
                if size > 0 && !is_inside(padding, size) =>
            {
                return refuse("a padding smaller than the window");
            }
            Self::MaxPool { .. } | Self::AvgPool { .. } => {
                let Some([rows, columns]) = self.windows(input) else {
                    return refuse("an image at least as large as the window, and a stride of at least 1");
                };
                Signature::plain(Shape::new(rows.count, columns.count, input.channels))
            }
            Self::GlobalAvgPool => Signature::plain(Shape::vector(input.channels)),
            Self::Subsample { stride: 0, .. } => return refuse("a stride of at least 1"),
            Self::Subsample { stride, .. } => {
                let [height, width] = [input.height, input.width].map(|n| n.div_ceil(stride));
                Signature::plain(Shape::new(height, width, input.channels))
            }
            Self::PadChannels { channels } if channels < input.channels => {
                return refuse("at least as many channels altogether as the input has");
            }
            Self::PadChannels { channels } => Signature::plain(Shape { channels, ..input }),
            Self::Concat if inputs.iter().any(|&other| Shape { channels: 1, ..other } != pixels(input)) => {
                return refuse("two images of one size");
            }
            Self::Concat => {
                let channels = inputs.iter().fold(0usize, |sum, input| sum.saturating_add(input.channels));
                Signature::plain(Shape { channels, ..input })
            }
            Self::Scale if inputs[1] != Shape::vector(input.channels) => {
                return refuse("an image and a vector with a value for each of its channels");
            }
            Self::Add | Self::ShakeShake if inputs.iter().any(|&other| other != input) => {
                return refuse("two tensors of one shape");
            }
            Self::Dropout { rate } | Self::DropConnect { rate } if !(0.0..1.0).contains(&rate) => {
                return refuse("a rate from 0 to below 1");
            }
            Self::ShakeDrop { keep } if !(0.0..=1.0).contains(&keep) => {
                return refuse("a share from 0 to 1");
            }
            Self::Relu
            | Self::Relu6
            | Self::Swish
            | Self::Sigmoid
            | Self::Scale
            | Self::Add
            | Self::Dropout { .. }
            | Self::DropConnect { .. }
            | Self::ShakeShake
            | Self::ShakeDrop { .. } => Signature::plain(input),
        })
    }
}

/// The shape with one channel.
const fn pixels(shape: Shape) -> Shape {
    Shape { channels: 1, ..shape }
}
