//! Pooling: windows over an image, or all of it, become a pixel each.

mod average;
mod max;

use super::Layouts;
pub use average::{AvgPool, GlobalAvgPool};
pub use max::MaxPool;
use sam_model::Shape;

/// A grid of windows over an image.
#[derive(Clone, Copy)]
struct Windows {
    layouts: Layouts,
    size: usize,
    stride: usize,
}

impl Windows {
    /// Every output pixel.
    fn outputs(self) -> impl Iterator<Item = (usize, usize)> {
        let Shape { height, width, .. } = self.layouts.output.shape;
        (0..height).flat_map(move |y| (0..width).map(move |x| (y, x)))
    }

    /// The input pixels of an output pixel's window, in row order.
    fn window(self, (y, x): (usize, usize)) -> impl Iterator<Item = (isize, isize)> {
        let Self { size, stride, .. } = self;
        (0..size)
            .flat_map(move |r| (0..size).map(move |s| ((y * stride + r) as isize, (x * stride + s) as isize)))
    }
}
