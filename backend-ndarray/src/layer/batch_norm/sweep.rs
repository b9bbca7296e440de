//! The sweeps over one sample, row by row. Per-channel numbers come repeated over a row (`width x channels`), and
//! sums are kept for every element of a row before they are folded to channels: so every loop runs over whole
//! rows and vectorises whatever the number of channels.

use crate::{Scalar, layer::put};

/// Per-channel numbers of a normalisation, repeated over a row: `y = (x - mean) factor + offset`.
#[derive(Clone, Copy)]
pub struct Normal<'a, T> {
    pub mean: &'a [T],
    pub factor: &'a [T],
    pub offset: &'a [T],
    pub relu: bool,
}

impl<T: Scalar> Normal<'_, T> {
    /// The same numbers for the first `n` elements, so that loops need no test of bounds.
    #[inline(always)]
    fn cut(&self, n: usize) -> Self {
        Self { mean: &self.mean[..n], factor: &self.factor[..n], offset: &self.offset[..n], relu: self.relu }
    }

    #[inline(always)]
    fn value(&self, i: usize, x: T) -> T {
        (x - self.mean[i]) * self.factor[i] + self.offset[i]
    }

    /// The gradient behind the ReLU, by the very expression of the forward pass.
    #[inline(always)]
    fn gate(&self, i: usize, x: T, g: T) -> T {
        if self.relu && self.value(i, x) <= T::zero() { T::zero() } else { g }
    }
}

/// Adds all pixels of a row to its first.
#[inline(always)]
pub fn fold<T: Scalar>(row: &mut [T], channels: usize) {
    let (first, rest) = row.split_at_mut(channels);
    for pixel in rest.chunks_exact(channels) {
        put(first, pixel.iter().copied(), true);
    }
}

/// `sums += x`.
#[inline(always)]
pub fn add_row<T: Scalar>(sums: &mut [T], x: &[T]) {
    let n = x.len();
    let sums = &mut sums[..n];
    for i in 0..n {
        sums[i] += x[i];
    }
}

/// `sums += (x - mean)^2`.
#[inline(always)]
pub fn add_squares<T: Scalar>(sums: &mut [T], x: &[T], mean: &[T]) {
    let n = x.len();
    let (sums, mean) = (&mut sums[..n], &mean[..n]);
    for i in 0..n {
        let d = x[i] - mean[i];
        sums[i] += d * d;
    }
}

/// `y = normal(x)`, rectified.
#[inline(always)]
pub fn normalise<T: Scalar>(y: &mut [T], x: &[T], normal: Normal<'_, T>) {
    let n = x.len();
    let (y, normal) = (&mut y[..n], normal.cut(n));
    for i in 0..n {
        let value = normal.value(i, x[i]);
        y[i] = if normal.relu && value < T::zero() { T::zero() } else { value };
    }
}

/// `sums += g`, `products += g (x - mean)` with the gated gradient.
#[inline(always)]
pub fn add_products<T: Scalar>(sums: &mut [T], products: &mut [T], x: &[T], g: &[T], normal: Normal<'_, T>) {
    let n = x.len();
    let (sums, products, g, normal) = (&mut sums[..n], &mut products[..n], &g[..n], normal.cut(n));
    for i in 0..n {
        let g = normal.gate(i, x[i], g[i]);
        sums[i] += g;
        products[i] += g * (x[i] - normal.mean[i]);
    }
}

/// `dx = factor (g - shift - (x - mean) slope)` with the gated gradient.
#[inline(always)]
pub fn input_gradient<T: Scalar>(
    dx: &mut [T],
    (x, g): (&[T], &[T]),
    normal: Normal<'_, T>,
    (shift, slope): (&[T], &[T]),
    accumulate: bool,
) {
    let n = x.len();
    let (dx, g, normal, shift, slope) = (&mut dx[..n], &g[..n], normal.cut(n), &shift[..n], &slope[..n]);
    for i in 0..n {
        let g = normal.gate(i, x[i], g[i]);
        let d = normal.factor[i] * (g - shift[i] - (x[i] - normal.mean[i]) * slope[i]);
        dx[i] = if accumulate { dx[i] + d } else { d };
    }
}
