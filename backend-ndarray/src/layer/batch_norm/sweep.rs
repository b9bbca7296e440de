//! The sweeps over one sample, row by row. Per-channel numbers come repeated over a row (`width x channels`), and
//! sums are kept for every element of a row before they are folded to channels: so every loop runs over whole
//! rows and vectorises whatever the number of channels.

use crate::{Number, layer::fold, layout::Layout, wide::wide};

/// Per-channel numbers of a normalisation, repeated over a row: `y = (x - mean) factor + offset`.
#[derive(Clone, Copy)]
pub struct Normal<'a, T> {
    pub mean: &'a [T],
    pub factor: &'a [T],
    pub offset: &'a [T],
    pub relu: bool,
}

impl<T: Number> Normal<'_, T> {
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

wide! {
/// Mean of a channel and sum of squared distances from it, each at the front of its half of `partial` (two rows);
/// `share` is one over the pixels.
pub fn measure(sample: &[T], layout: Layout, partial: &mut [T], share: T) {
    let (n, channels) = (layout.row_len(), layout.shape.channels);
    partial.fill(T::zero());
    let (means, spreads) = partial.split_at_mut(n);
    for x in layout.rows(sample) {
        let (x, means) = (&x[..n], &mut means[..n]);
        for i in 0..n {
            means[i] += x[i];
        }
    }
    fold(means, channels);
    let (mean, repeated) = means.split_at_mut(channels);
    for mean in &mut *mean {
        *mean *= share;
    }
    for to in repeated.chunks_exact_mut(channels) {
        to.copy_from_slice(mean);
    }
    for x in layout.rows(sample) {
        let (x, means, spreads) = (&x[..n], &means[..n], &mut spreads[..n]);
        for i in 0..n {
            let d = x[i] - means[i];
            spreads[i] += d * d;
        }
    }
    fold(spreads, channels);
}
}

wide! {
/// `y = normal(x)`, rectified.
pub fn normalise(y: (&mut [T], Layout), x: (&[T], Layout), normal: Normal<'_, T>) {
    let n = x.1.row_len();
    let normal = normal.cut(n);
    for (y, x) in y.1.rows_mut(y.0).zip(x.1.rows(x.0)) {
        let (y, x) = (&mut y[..n], &x[..n]);
        for i in 0..n {
            let value = normal.value(i, x[i]);
            y[i] = if normal.relu && value <= T::zero() { T::zero() } else { value };
        }
    }
}
}

wide! {
/// Sums of `g` and of `g (x - mean)` with the gated gradient, at the fronts of the halves of `partial` (two rows).
pub fn sum_products(x: (&[T], Layout), g: (&[T], Layout), normal: Normal<'_, T>, partial: &mut [T]) {
    let (n, channels) = (x.1.row_len(), x.1.shape.channels);
    let normal = normal.cut(n);
    partial.fill(T::zero());
    let (sums, products) = partial.split_at_mut(n);
    for (x, g) in x.1.rows(x.0).zip(g.1.rows(g.0)) {
        let (x, g, sums, products) = (&x[..n], &g[..n], &mut sums[..n], &mut products[..n]);
        for i in 0..n {
            let g = normal.gate(i, x[i], g[i]);
            sums[i] += g;
            products[i] += g * (x[i] - normal.mean[i]);
        }
    }
    fold(sums, channels);
    fold(products, channels);
}
}

wide! {
/// `dx = factor (g - shift - (x - mean) slope)` with the gated gradient.
pub fn input_gradient(
    dx: (&mut [T], Layout),
    x: (&[T], Layout),
    g: (&[T], Layout),
    normal: Normal<'_, T>,
    corrections: (&[T], &[T]),
    accumulate: bool,
) {
    let n = x.1.row_len();
    let (normal, shift, slope) = (normal.cut(n), &corrections.0[..n], &corrections.1[..n]);
    for ((dx, x), g) in dx.1.rows_mut(dx.0).zip(x.1.rows(x.0)).zip(g.1.rows(g.0)) {
        let (dx, x, g) = (&mut dx[..n], &x[..n], &g[..n]);
        for i in 0..n {
            let g = normal.gate(i, x[i], g[i]);
            let d = normal.factor[i] * (g - shift[i] - (x[i] - normal.mean[i]) * slope[i]);
            dx[i] = if accumulate { dx[i] + d } else { d };
        }
    }
}
}
