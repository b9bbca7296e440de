use crate::{Init, Parameter, Role, Shape};
use core::fmt;

/// An operation of a network on one sample's tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Batch normalisation per channel (Ioffe and Szegedy 2015).
    BatchNorm,
    /// `max(x, 0)`.
    Relu,
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

/// An operation was applied to a tensor that it can't take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// The operation.
    pub op: Op,
    /// What it was given.
    pub input: Shape,
    /// What it takes.
    pub expected: &'static str,
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} takes {}, but its input is {}", self.op, self.expected, self.input)
    }
}

impl core::error::Error for ShapeError {}

/// Number of windows of extent `size`, `stride` apart, in `extent`.
const fn windows(extent: usize, size: usize, stride: usize) -> Option<usize> {
    if size == 0 || stride == 0 || extent < size {
        return None;
    }
    Some((extent - size) / stride + 1)
}

impl Op {
    /// Shape of the output for an input of shape `input` (for [`Op::Add`], of either input).
    ///
    /// # Errors
    /// When the operation can't be applied to that shape.
    pub fn output_shape(&self, input: Shape) -> Result<Shape, ShapeError> {
        let refuse = |expected| Err(ShapeError { op: *self, input, expected });
        if input.is_empty() {
            return refuse("a tensor with at least one value");
        }
        match *self {
            Self::Flatten => Ok(Shape::vector(input.len())),
            Self::Dense { outputs: 0 } | Self::Classify { classes: 0 } => refuse("at least one output"),
            Self::Dense { .. } | Self::Classify { .. } if input.pixels() != 1 => {
                refuse("a vector (flatten it first)")
            }
            Self::Dense { outputs } | Self::Classify { classes: outputs } => Ok(Shape::vector(outputs)),
            Self::Conv { channels: 0, .. } => refuse("at least one output channel"),
            Self::Conv { kernel, padding, .. } if padding >= kernel => {
                refuse("a padding smaller than the kernel")
            }
            Self::Conv { channels, kernel, stride, padding, .. } => {
                let extent = |n: usize| windows(n + 2 * padding, kernel, stride);
                match (extent(input.height), extent(input.width)) {
                    (Some(height), Some(width)) => Ok(Shape::new(height, width, channels)),
                    _ => refuse("an image at least as large as the kernel, and a stride of at least 1"),
                }
            }
            Self::MaxPool { size, stride } | Self::AvgPool { size, stride } => {
                match (windows(input.height, size, stride), windows(input.width, size, stride)) {
                    (Some(height), Some(width)) => Ok(Shape::new(height, width, input.channels)),
                    _ => refuse("an image at least as large as the window, and a stride of at least 1"),
                }
            }
            Self::GlobalAvgPool => Ok(Shape::vector(input.channels)),
            Self::BatchNorm | Self::Relu | Self::Add => Ok(input),
        }
    }

    /// The operation's parameter tensors for an input of shape `input`, in the order of the flat arena.
    pub fn parameters(&self, input: Shape) -> impl Iterator<Item = Parameter> + use<> {
        let constant = |role, value, n| Some(Parameter::vector(role, Init::Constant(value), n));
        let (first, second) = match *self {
            Self::Dense { outputs } => {
                let init = Init::He { fan_in: input.len() };
                (Some(Parameter::matrix(input.len(), outputs, init)), constant(Role::Bias, 0.0, outputs))
            }
            Self::Classify { classes } => {
                let weights = Parameter::matrix(input.len(), classes, Init::Constant(0.0));
                (Some(weights), constant(Role::Bias, 0.0, classes))
            }
            Self::Conv { channels, kernel, bias, .. } => (
                Some(Parameter::filters(kernel, input.channels, channels)),
                if bias { constant(Role::Bias, 0.0, channels) } else { None },
            ),
            Self::BatchNorm => {
                (constant(Role::Scale, 1.0, input.channels), constant(Role::Shift, 0.0, input.channels))
            }
            _ => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// Multiply-add pairs of the forward pass for one sample: what a backend's speed is measured against.
    #[must_use]
    pub fn multiply_adds(&self, input: Shape) -> usize {
        match (*self, self.output_shape(input)) {
            (Self::Dense { outputs } | Self::Classify { classes: outputs }, Ok(_)) => input.len() * outputs,
            (Self::Conv { kernel, .. }, Ok(output)) => kernel * kernel * input.channels * output.len(),
            _ => 0,
        }
    }
}
