//! How a grid of windows lies on an image: of filters and of pooling.

/// What lies beyond the border of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Padding {
    /// So many rows and columns on each side.
    Explicit(usize),
    /// As TensorFlow's and JAX's "SAME": `ceil(n / stride)` windows, and what these need beyond the image is shared between
    /// both sides, the odd one behind it. At an even extent with stride 2, windows of 3 have 0 before and 1 behind.
    Same,
}

/// The windows along one direction of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// How many there are.
    pub count: usize,
    /// Pixels of padding before the image.
    pub before: usize,
    /// Pixels of padding behind it that some window reads.
    pub behind: usize,
}

impl Padding {
    /// The windows of extent `size`, `stride` apart, along `extent` pixels; `None` if there is none, or they can't be counted.
    #[must_use]
    pub fn windows(self, extent: usize, size: usize, stride: usize) -> Option<Windows> {
        if extent == 0 || size == 0 || stride == 0 {
            return None;
        }
        let (count, before) = match self {
            Self::Explicit(padding) => {
                let padded = padding.checked_mul(2)?.checked_add(extent)?;
                (padded.checked_sub(size)? / stride + 1, padding)
            }
            Self::Same => {
                let count = extent.div_ceil(stride);
                let total = (count - 1).checked_mul(stride)?.checked_add(size)?.saturating_sub(extent);
                (count, total / 2)
            }
        };
        let reach = (count - 1).checked_mul(stride)?.checked_add(size)?;
        Some(Windows { count, before, behind: reach.saturating_sub(extent.checked_add(before)?) })
    }
}
