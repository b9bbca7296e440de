//! How a sample's tensor lies in memory.

use num_traits::Zero;
use sam_model::Shape;

/// How one sample's tensor lies in memory: rows of pixels, channels last, inside a halo of zeros, so that a filter
/// that reaches over the border reads zeros without a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    pub shape: Shape,
    /// Rows and columns of zeros on each side.
    pub halo: usize,
}

impl Layout {
    /// Elements from a pixel to the one below.
    #[inline(always)]
    pub const fn row_stride(&self) -> usize {
        (self.shape.width + 2 * self.halo) * self.shape.channels
    }

    /// Elements from a sample to the next.
    #[inline(always)]
    pub const fn sample_len(&self) -> usize {
        (self.shape.height + 2 * self.halo) * self.row_stride()
    }

    /// Offset of a pixel within its sample; coordinates may reach into the halo.
    #[inline(always)]
    pub fn pixel(&self, y: isize, x: isize) -> usize {
        let inside = |at: isize| usize::try_from(at + self.halo as isize);
        match (inside(y), inside(x)) {
            (Ok(y), Ok(x)) => y * self.row_stride() + x * self.shape.channels,
            _ => unreachable!("pixel ({y}, {x}) is outside a halo of {}", self.halo),
        }
    }

    /// Values of one row of the image.
    #[inline(always)]
    pub const fn row_len(&self) -> usize {
        self.shape.width * self.shape.channels
    }

    /// The rows of a sample's image, without the halo.
    #[inline(always)]
    pub fn rows<'a, T>(&self, sample: &'a [T]) -> impl Iterator<Item = &'a [T]> + use<'a, T> {
        let (stride, left, len) = (self.row_stride(), self.halo * self.shape.channels, self.row_len());
        sample
            .chunks_exact(stride)
            .skip(self.halo)
            .take(self.shape.height)
            .map(move |row| &row[left..left + len])
    }

    /// The rows of a sample's image, without the halo.
    #[inline(always)]
    pub fn rows_mut<'a, T>(&self, sample: &'a mut [T]) -> impl Iterator<Item = &'a mut [T]> + use<'a, T> {
        let (stride, left, len) = (self.row_stride(), self.halo * self.shape.channels, self.row_len());
        sample
            .chunks_exact_mut(stride)
            .skip(self.halo)
            .take(self.shape.height)
            .map(move |row| &mut row[left..left + len])
    }

    /// The one pixel of each of so many samples of vectors.
    pub fn vectors<'a, T>(
        &self,
        values: &'a [T],
        samples: usize,
    ) -> impl DoubleEndedIterator<Item = &'a [T]> + ExactSizeIterator + Clone + use<'a, T> {
        let (len, first, channels) = (self.sample_len(), self.pixel(0, 0), self.shape.channels);
        values[..samples * len].chunks_exact(len).map(move |sample| &sample[first..first + channels])
    }

    /// The one pixel of each of so many samples of vectors.
    pub fn vectors_mut<'a, T>(
        &self,
        values: &'a mut [T],
        samples: usize,
    ) -> impl DoubleEndedIterator<Item = &'a mut [T]> + ExactSizeIterator + use<'a, T> {
        let (len, first, channels) = (self.sample_len(), self.pixel(0, 0), self.shape.channels);
        values[..samples * len].chunks_exact_mut(len).map(move |sample| &mut sample[first..first + channels])
    }

    /// Sets a sample's image to zero.
    pub fn clear<T: Zero + Clone>(&self, sample: &mut [T]) {
        self.rows_mut(sample).for_each(|row| row.fill(T::zero()));
    }
}
