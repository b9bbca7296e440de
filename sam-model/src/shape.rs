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

    /// Number of pixels.
    #[must_use]
    pub const fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Number of values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.pixels() * self.channels
    }

    /// Whether an extent is zero.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.height, self.width, self.channels)
    }
}
