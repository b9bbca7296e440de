//! Convolution of each channel by itself: sums over filter taps, or over pixels, of a block of channels at a time.

use super::{Filters, Grouped};
use crate::{Number, layer::Layouts, wide::wide};

/// Channels whose sums stay in registers: four vectors of 32 bytes in f32.
const LANES: usize = 32;
/// Channels of a block behind the last whole one.
const FEW: usize = 8;

/// The sums of some neighbouring channels.
#[derive(Clone, Copy)]
struct Block<T, const N: usize>([T; N]);

impl<T: Number, const N: usize> Block<T, N> {
    /// As they are in memory, or zero.
    #[inline(always)]
    fn load(from: &[T], exists: bool) -> Self {
        let mut values = [T::zero(); N];
        if exists {
            values.copy_from_slice(&from[..N]);
        }
        Self(values)
    }

    #[inline(always)]
    fn add_products(&mut self, a: &[T], b: &[T]) {
        let (a, b) = (&a[..N], &b[..N]);
        for i in 0..N {
            self.0[i] += a[i] * b[i];
        }
    }

    #[inline(always)]
    fn store(self, to: &mut [T]) {
        to[..N].copy_from_slice(&self.0);
    }
}

/// Does a body for blocks of channels that cover all of them: with N the channels of a block, and the first of them.
macro_rules! blocks {
    ($channels:expr, $n:ident, $first:ident, $body:block) => {{
        let mut $first = 0;
        while $first + LANES <= $channels {
            const $n: usize = LANES;
            $body
            $first += $n;
        }
        while $first + FEW <= $channels {
            const $n: usize = FEW;
            $body
            $first += $n;
        }
        while $first < $channels {
            const $n: usize = 1;
            $body
            $first += $n;
        }
    }};
}

wide! {
pub fn forward(window: Grouped, to: &mut [T], from: &[T], weights: &[T], bias: &[T]) {
    let Layouts { input, output, .. } = window.layouts;
    let (Filters { kernel, .. }, channels) = (window.filters, input.shape.channels);
    for (at, origin) in window.pixels(output, input) {
        blocks!(channels, N, c, {
            let mut sums = Block::<T, N>::load(bias.get(c..).unwrap_or_default(), !bias.is_empty());
            for r in 0..kernel {
                let row = &from[origin + r * input.row_stride() + c..];
                let weights = &weights[r * kernel * channels + c..];
                for s in 0..kernel {
                    sums.add_products(&row[s * channels..], &weights[s * channels..]);
                }
            }
            sums.store(&mut to[at + c..]);
        });
    }
}
}

wide! {
/// Adds a sample's share.
pub fn weight_gradient(window: Grouped, to: &mut [T], x: &[T], g: &[T]) {
    match window.filters.kernel {
        3 => weight_gradient_of::<T, 3>(window, to, x, g),
        5 => weight_gradient_of::<T, 5>(window, to, x, g),
        // Tap by tap.
        _ => weight_gradient_of::<T, 1>(window, to, x, g),
    }
}
}

/// So many taps of a row at a time.
#[inline(always)]
fn weight_gradient_of<T: Number, const TAPS: usize>(window: Grouped, to: &mut [T], x: &[T], g: &[T]) {
    let Layouts { input, d_output, .. } = window.layouts;
    let (Filters { kernel, stride, .. }, channels) = (window.filters, input.shape.channels);
    for (r, first) in (0..kernel).flat_map(|r| (0..kernel).step_by(TAPS).map(move |first| (r, first))) {
        blocks!(channels, N, c, {
            let tap = |s: usize| (r * kernel + first + s) * channels + c;
            let mut sums = [Block::<T, N>::load(&[], false); TAPS];
            for (s, sums) in sums.iter_mut().enumerate() {
                *sums = Block::load(&to[tap(s)..], true);
            }
            for y in 0..d_output.shape.height {
                let from = window.filters.origin(input, [y, 0]) + r * input.row_stride() + first * channels;
                let (x, g) = (&x[from + c..], &g[d_output.pixel(y as isize, 0) + c..]);
                for pixel in 0..d_output.shape.width {
                    let (x, g) = (&x[pixel * stride * channels..], &g[pixel * channels..]);
                    for (s, sums) in sums.iter_mut().enumerate() {
                        sums.add_products(&x[s * channels..], g);
                    }
                }
            }
            for (s, sums) in sums.into_iter().enumerate() {
                sums.store(&mut to[tap(s)..]);
            }
        });
    }
}

/// Taps of one direction that meet an input pixel: each with the output pixel.
#[inline(always)]
fn met(
    at: usize,
    before: usize,
    filters: Filters,
    outputs: usize,
) -> impl Iterator<Item = (usize, usize)> + Clone {
    let Filters { kernel, stride, .. } = filters;
    let place = at + before;
    (place % stride..kernel)
        .step_by(stride)
        .filter_map(move |tap| Some((tap, place.checked_sub(tap)? / stride)))
        .filter(move |&(_, output)| output < outputs)
}

wide! {
/// Writes or adds, for each input pixel, the sum over the taps that met it.
pub fn input_gradient(window: Grouped, to: &mut [T], g: &[T], weights: &[T], accumulate: bool) {
    let Layouts { d_input, d_output, .. } = window.layouts;
    let (filters, channels) = (window.filters, d_input.shape.channels);
    let (height, width) = (d_input.shape.height, d_input.shape.width);
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let at = d_input.pixel(y as isize, x as isize);
        let rows = met(y, filters.before[0], filters, d_output.shape.height);
        let columns = met(x, filters.before[1], filters, d_output.shape.width);
        blocks!(channels, N, c, {
            let mut sums = Block::<T, N>::load(&to[at + c..], accumulate);
            for (r, out_y) in rows.clone() {
                for (s, out_x) in columns.clone() {
                    let g = &g[d_output.pixel(out_y as isize, out_x as isize) + c..];
                    sums.add_products(g, &weights[(r * filters.kernel + s) * channels + c..]);
                }
            }
            sums.store(&mut to[at + c..]);
        });
    }
}
}
