//! Pooling: windows over an image, or all of it, become a pixel each.

mod average;
mod max;

use super::Layouts;
pub use average::{AvgPool, GlobalAvgPool};
use core::ops::Range;
pub use max::MaxPool;
use sam_model::Shape;

/// A grid of windows over an image, which may reach over its border.
#[derive(Clone, Copy)]
pub struct Windows {
    pub layouts: Layouts,
    pub size: usize,
    pub stride: usize,
    /// Rows and columns of padding before the image.
    pub before: [usize; 2],
}

impl Windows {
    /// Every output pixel.
    fn outputs(self) -> impl Iterator<Item = (usize, usize)> {
        let Shape { height, width, .. } = self.layouts.output.shape;
        (0..height).flat_map(move |y| (0..width).map(move |x| (y, x)))
    }

    /// The rows and the columns of an output pixel's window that are in the image, counted from the window's first.
    #[inline(always)]
    fn inside(self, (y, x): (usize, usize)) -> [Range<usize>; 2] {
        let Shape { height, width, .. } = self.layouts.input.shape;
        let along = |at: usize, before: usize, extent: usize| {
            let start = at * self.stride;
            before.saturating_sub(start)..self.size.min((extent + before).saturating_sub(start))
        };
        [along(y, self.before[0], height), along(x, self.before[1], width)]
    }

    /// The first row or column of a window that is in the image.
    #[inline(always)]
    const fn first(self, at: usize, before: usize) -> usize {
        (at * self.stride).saturating_sub(before)
    }

    /// The input pixels of an output pixel's window, in row order.
    fn window(self, (y, x): (usize, usize)) -> impl Iterator<Item = (isize, isize)> {
        let [rows, columns] = self.inside((y, x)).map(|range| range.len());
        let (y, x) = (self.first(y, self.before[0]), self.first(x, self.before[1]));
        (0..rows).flat_map(move |r| (0..columns).map(move |s| ((y + r) as isize, (x + s) as isize)))
    }
}
