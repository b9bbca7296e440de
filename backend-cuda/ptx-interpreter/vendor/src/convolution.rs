//! Convolutions by their definition, channels last.

use crate::cudnn::{Geometry, Tensor};
use crate::fault::{self, Fault};

/// Which of the three products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    Forward,
    Input,
    Filters,
}

/// Shapes of image, filters and output that fit together.
#[derive(Debug, Clone, Copy)]
pub struct Shapes {
    pub x: Tensor,
    pub w: Tensor,
    pub y: Tensor,
    pub geometry: Geometry,
}

impl Shapes {
    /// The product of two of the three, the third: `x` and `w`, `y` and `w`, or `x` and `y`.
    pub fn product(&self, product: Product, left: &[f32], right: &[f32]) -> Vec<f32> {
        let Self { x, w, y, geometry } = *self;
        let mut to = vec![
            0.0;
            match product {
                Product::Forward => y.len(),
                Product::Input => x.len(),
                Product::Filters => w.len(),
            }
        ];
        let [_, channels, height, width] = x.extents;
        let [filters, _, rows, columns] = w.extents;
        let [samples, _, out_height, out_width] = y.extents;
        for sample in 0..samples {
            for (i, j) in (0..out_height).flat_map(|i| (0..out_width).map(move |j| (i, j))) {
                for (r, s) in (0..rows).flat_map(|r| (0..columns).map(move |s| (r, s))) {
                    let from = |out: usize, tap: usize, axis: usize| {
                        (out * geometry.strides[axis] + tap).checked_sub(geometry.padding[axis])
                    };
                    let (Some(py), Some(px)) = (from(i, r, 0), from(j, s, 1)) else { continue };
                    if py >= height || px >= width {
                        continue;
                    }
                    for (o, c) in (0..filters).flat_map(|o| (0..channels).map(move |c| (o, c))) {
                        let image = ((sample * height + py) * width + px) * channels + c;
                        let output = ((sample * out_height + i) * out_width + j) * filters + o;
                        let filter = if fault::is(Fault::FiltersLast) {
                            ((r * columns + s) * channels + c) * filters + o
                        } else {
                            ((o * rows + r) * columns + s) * channels + c
                        };
                        match product {
                            Product::Forward => to[output] += left[image] * right[filter],
                            Product::Input => to[image] += left[output] * right[filter],
                            Product::Filters => to[filter] += left[image] * right[output],
                        }
                    }
                }
            }
        }
        to
    }
}
