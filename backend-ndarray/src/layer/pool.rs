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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Number,
        layer::{Backward, Forward, InputGradient, Layer, Layouts, Mode},
        layout::Layout,
        team::Team,
    };

    /// Output pixels along one direction, if there is one.
    const fn outputs(extent: usize, size: usize, stride: usize, before: usize) -> Option<usize> {
        match (extent + 2 * before).checked_sub(size) {
            Some(room) => Some(room / stride + 1),
            None => None,
        }
    }

    /// The gradient of an image of distinct values, in a buffer that is full of NaN before, for an output's gradient of ones.
    fn gradient(windows: Windows, layer: &mut dyn Layer<f64>) -> Vec<f64> {
        let team = Team::new(1).unwrap();
        let Layouts { input, output, .. } = windows.layouts;
        let image: Vec<f64> = (0..input.sample_len()).map(|i| f64::from((i * 29 % 97) as u8)).collect();
        let mut values = vec![0.0; output.sample_len()];
        layer.forward(Forward {
            team: &team,
            mode: Mode::Clean,
            draws: None,
            samples: 1,
            params: &[],
            statistics: &mut [],
            input: &image,
            output: &mut values,
        });
        let mut found = vec![f64::NAN; input.sample_len()];
        layer.backward(Backward {
            team: &team,
            samples: 1,
            params: &[],
            grads: &mut [],
            input: &image,
            d_output: &vec![1.0; output.sample_len()],
            d_input: Some(InputGradient { values: &mut found, accumulate: false }),
        });
        found
    }

    /// Pixels that no window reaches get zero, whatever was there: windows behind one another from the padding on may miss the
    /// last rows and columns.
    #[test]
    fn every_pixel_gets_its_gradient() {
        for (extent, size, stride, before) in (1..8)
            .flat_map(|extent| (1..5).map(move |size| (extent, size)))
            .flat_map(|(extent, size)| (1..5).map(move |stride| (extent, size, stride)))
            .flat_map(|(extent, size, stride)| (0..size).map(move |before| (extent, size, stride, before)))
        {
            let Some(count) =
                outputs(extent, size, stride, before).filter(|&n| (n - 1) * stride < extent + before)
            else {
                continue;
            };
            let channels = 9;
            let [input, output] =
                [extent, count].map(|extent| Layout { shape: Shape::new(extent, extent, channels), halo: 0 });
            let layouts = Layouts { input, d_input: input, output, d_output: output };
            let windows = Windows { layouts, size, stride, before: [before; 2] };
            let reached = |pixel: usize| {
                let at = [pixel / extent, pixel % extent].map(|at| at + before);
                let windows =
                    |at: usize| (0..count).filter(|n| (n * stride..n * stride + size).contains(&at)).count();
                windows(at[0]) * windows(at[1])
            };
            let max = gradient(windows, &mut MaxPool::new(windows, false, 1));
            let mean = gradient(windows, &mut AvgPool(windows));
            let what = format!("{extent} pixels, windows of {size} every {stride}, {before} before");
            for (i, (max, mean)) in max.iter().zip(&mean).enumerate() {
                let reached = reached(i / channels) as f64;
                let expected = reached * f64::of(1.0 / (size * size) as f64);
                assert!((mean - expected).abs() < 1e-12, "{what}: {mean} at {i}, expected {expected}");
                assert!(*max <= reached && *max >= 0.0, "{what}: {max} at {i}, reached by {reached} windows");
            }
            let sum: f64 = max.iter().sum();
            assert_eq!(sum, (count * count * channels) as f64, "{what}: each window gives its gradient once");
        }
    }
}
