//! The shape of a convolution, as kernels take it.

use sam_model::Shape;

/// What a convolution is of. A dense layer is the convolution of a 1x1 image with 1x1 filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Geometry {
    pub samples: usize,
    pub input: Shape,
    pub output: Shape,
    /// Rows and columns of a filter.
    pub kernel: usize,
    pub stride: usize,
    /// Rows and columns of zeros before the image; behind it are as many as the output reads.
    pub padding: [usize; 2],
}

impl Geometry {
    /// Whether pixels are rows of a matrix that the filters multiply.
    pub const fn is_matrix(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && matches!(self.padding, [0, 0])
    }

    /// Values of a filter.
    pub const fn patch(&self) -> usize {
        self.kernel * self.kernel * self.input.channels
    }

    /// Values of the filters.
    pub const fn weights(&self) -> usize {
        self.patch() * self.output.channels
    }
}
