//! Extents of one sample's tensor.

use core::fmt;

/// Height, width and channels of one sample's tensor, channels last. Vectors are `1 x 1 x n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Rows, in pixels.
    pub height: usize,
    /// Columns, in pixels.
    pub width: usize,
    /// Values a pixel.
    pub channels: usize,
}

/// Shape of an input image: the same thing as the shape of any tensor inside the network.
pub type ImageShape = Shape;

impl Shape {
    /// A shape of the given extents.
    #[must_use]
    pub const fn new(height: usize, width: usize, channels: usize) -> Self {
        Self { height, width, channels }
    }

    /// The shape of a vector of `n` values.
    #[must_use]
    pub const fn vector(n: usize) -> Self {
        Self::new(1, 1, n)
    }

    /// Number of pixels; `usize::MAX` if there are more.
    #[must_use]
    pub const fn pixels(&self) -> usize {
        self.height.saturating_mul(self.width)
    }

    /// Number of values; `usize::MAX` if there are more, which no [`Description`](crate::Description) has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.pixels().saturating_mul(self.channels)
    }

    /// Whether an extent is zero.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.height == 0 || self.width == 0 || self.channels == 0
    }

    /// Whether [`Shape::len`] is a number that memory could hold values of.
    pub(crate) fn is_countable(&self) -> bool {
        count([self.height, self.width, self.channels]).is_some()
    }
}

/// The product of extents, if so many values of 8 bytes can be addressed.
pub(crate) fn count(extents: impl IntoIterator<Item = usize>) -> Option<usize> {
    let product = extents.into_iter().try_fold(1usize, usize::checked_mul);
    product.filter(|&values| values <= MOST_VALUES)
}

/// Values of 8 bytes that can be addressed.
pub(crate) const MOST_VALUES: usize = isize::MAX as usize / 8;

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.height, self.width, self.channels)
    }
}
