//! The transforms, on [`LANES`] channels at a time.

use super::{TAPS, Tiles};
use crate::{
    Number,
    layout::Layout,
    product::{Finish, Start, panels},
    wide::wide,
};
use core::ops::Range;

/// Channels that are transformed together.
pub const LANES: usize = 8;

type Lanes<T> = [T; LANES];

/// How transformed tiles lie in a buffer, counted in lanes of [`LANES`] channels.
#[derive(Clone, Copy)]
pub struct Arrangement {
    position: usize,
    tile: usize,
    pair: usize,
    odd: usize,
}

/// Lanes from a position's matrix to the next, if it takes so many: an odd number of cache lines, so that a tile's
/// sixteen positions don't compete for the same few places of the cache.
const fn spread(lanes: usize) -> usize {
    lanes.next_multiple_of(4) + 2
}

impl Arrangement {
    /// Elements from a position's matrix to the next.
    pub const fn position_len(self) -> usize {
        self.position * LANES
    }

    /// Tile after tile with all its channels: tiles are the rows of a product.
    pub const fn by_tile(channels: usize, tiles: usize) -> Self {
        let lanes = channels / LANES;
        Self { position: spread(lanes * tiles), tile: lanes, pair: 2, odd: 1 }
    }

    /// Eight channels after eight with all their tiles: channels are the rows of a product.
    pub const fn by_lanes(channels: usize, tiles: usize) -> Self {
        Self { position: spread(channels / LANES * tiles), tile: 1, pair: 2 * tiles, odd: tiles }
    }

    /// Sixteen channels after sixteen with all their tiles: channels are the columns of a product, in panels.
    pub const fn by_panels(channels: usize, tiles: usize) -> Self {
        Self { position: spread(panels(channels) * 2 * tiles), tile: 2, pair: 2 * tiles, odd: 1 }
    }

    #[inline(always)]
    const fn at(self, tile: usize, lane: usize) -> usize {
        tile * self.tile + lane / 2 * self.pair + lane % 2 * self.odd
    }
}

#[inline(always)]
fn each<T: Number>(a: Lanes<T>, b: Lanes<T>, op: impl Fn(T, T) -> T) -> Lanes<T> {
    let mut c = a;
    for i in 0..LANES {
        c[i] = op(a[i], b[i]);
    }
    c
}

#[inline(always)]
fn add<T: Number>(a: Lanes<T>, b: Lanes<T>) -> Lanes<T> {
    each(a, b, |a, b| a + b)
}

#[inline(always)]
fn sub<T: Number>(a: Lanes<T>, b: Lanes<T>) -> Lanes<T> {
    each(a, b, |a, b| a - b)
}

/// `B^T d`.
#[inline(always)]
fn patch<T: Number>([a, b, c, d]: [Lanes<T>; 4]) -> [Lanes<T>; 4] {
    [sub(a, c), add(b, c), sub(c, b), sub(b, d)]
}

/// `A^T m`.
#[inline(always)]
fn output<T: Number>([a, b, c, d]: [Lanes<T>; 4]) -> [Lanes<T>; 2] {
    [add(add(a, b), c), sub(sub(b, c), d)]
}

/// `A y`: the transpose of [`output`].
#[inline(always)]
fn gradient<T: Number>([a, b]: [Lanes<T>; 2]) -> [Lanes<T>; 4] {
    [a, add(a, b), sub(a, b), sub([T::zero(); LANES], b)]
}

/// `G g`.
#[inline(always)]
fn filter<T: Number>([a, b, c]: [Lanes<T>; 3]) -> [Lanes<T>; 4] {
    let half = [T::of(0.5); LANES];
    let times = |a, b| each(a, b, |a: T, b: T| a * b);
    [a, times(half, add(add(a, b), c)), times(half, add(sub(a, b), c)), c]
}

wide! {
/// Transforms the filters of [`LANES`] outputs, `G g G^T`, and puts them at `at`, positions `step` apart.
pub fn store_filters(to: &mut [T], at: usize, step: usize, filters: [[Lanes<T>; 3]; 3]) {
    let g = filters;
    let mut rows = [[[T::zero(); LANES]; 3]; 4];
    for s in 0..3 {
        [rows[0][s], rows[1][s], rows[2][s], rows[3][s]] = filter([g[0][s], g[1][s], g[2][s]]);
    }
    for (r, row) in rows.into_iter().enumerate() {
        for (s, value) in filter(row).into_iter().enumerate() {
            to[at + (r * 4 + s) * step..][..LANES].copy_from_slice(&value);
        }
    }
}
}

/// `G^T u`.
#[inline(always)]
fn filter_gradient<T: Number>([a, b, c, d]: [Lanes<T>; 4]) -> [Lanes<T>; 3] {
    let half = [T::of(0.5); LANES];
    let times = |a, b| each(a, b, |a: T, b: T| a * b);
    let (sum, difference) = (times(half, add(b, c)), times(half, sub(b, c)));
    [add(a, sum), difference, add(sum, d)]
}

wide! {
/// Transforms gradients of transformed filters back, `G^T u G`: the sums of a position lie `len` elements behind those of
/// the position before, and each tap's gradients are a slice.
pub fn store_filter_gradients(sums: &[T], len: usize, taps: [&mut [T]; TAPS]) {
    let (sums, len) = (by_lanes(sums), len / LANES);
    let taps = taps.map(by_lanes_mut);
    for at in 0..taps[0].len() {
        let mut columns = [[[T::zero(); LANES]; 4]; 3];
        for s in 0..4 {
            let u = [sums[s * len + at], sums[(4 + s) * len + at], sums[(8 + s) * len + at], sums[(12 + s) * len + at]];
            [columns[0][s], columns[1][s], columns[2][s]] = filter_gradient(u);
        }
        for r in 0..3 {
            for (s, value) in filter_gradient(columns[r]).into_iter().enumerate() {
                taps[r * 3 + s][at] = value;
            }
        }
    }
}
}

/// A tensor's values by [`LANES`]: channels are a multiple, so every pixel starts a new one.
#[inline(always)]
fn by_lanes<T>(values: &[T]) -> &[Lanes<T>] {
    values.as_chunks().0
}

#[inline(always)]
fn by_lanes_mut<T>(values: &mut [T]) -> &mut [Lanes<T>] {
    values.as_chunks_mut().0
}

/// Steps from a row to the next and from a pixel to the next, in lanes.
type Steps = (usize, usize);

/// Those of an `N x N` patch that was copied.
const fn copied<const N: usize>() -> Steps {
    (N, 1)
}

/// `N x N` pixels of one lane, zero beyond `height` and `width`.
#[inline(always)]
fn copy<T: Number, const N: usize>(
    source: &[Lanes<T>],
    (row, pixel): Steps,
    (height, width): (usize, usize),
) -> [[Lanes<T>; N]; N] {
    let mut values = [[[T::zero(); LANES]; N]; N];
    for (r, values) in values.iter_mut().enumerate().take(height) {
        for (s, value) in values.iter_mut().enumerate().take(width) {
            *value = source[r * row + s * pixel];
        }
    }
    values
}

/// `B^T d B` of one lane. Columns are taken in an order that leaves no more than three of them in registers. Macros, as
/// closures with several callers are not inlined into a function for AVX2.
#[inline(always)]
fn transform_patch<T: Number>(
    source: &[Lanes<T>],
    (row, pixel): Steps,
    to: &mut [Lanes<T>],
    position: usize,
) {
    macro_rules! column {
        ($s:literal) => {{
            let at = |r: usize| source[r * row + $s * pixel];
            patch([at(0), at(1), at(2), at(3)])
        }};
    }
    macro_rules! put {
        ($s:literal, $op:ident, $a:ident, $b:ident) => {
            for r in 0..4 {
                to[(r * 4 + $s) * position] = $op($a[r], $b[r]);
            }
        };
    }
    let (second, third) = (column!(1), column!(2));
    put!(1, add, second, third);
    put!(2, sub, third, second);
    let first = column!(0);
    put!(0, sub, first, third);
    let last = column!(3);
    put!(3, sub, second, last);
}

/// `A y A^T` of one lane.
#[inline(always)]
fn transform_gradient<T: Number>(
    source: &[Lanes<T>],
    (row, pixel): Steps,
    to: &mut [Lanes<T>],
    position: usize,
) {
    let left = gradient([source[0], source[row]]);
    let right = gradient([source[pixel], source[row + pixel]]);
    for r in 0..4 {
        let [a, b, c, d] = gradient([left[r], right[r]]);
        to[r * 4 * position] = a;
        to[(r * 4 + 1) * position] = b;
        to[(r * 4 + 2) * position] = c;
        to[(r * 4 + 3) * position] = d;
    }
}

wide! {
/// Transforms the 4x4 patches under tiles, `padding` up and left of them; what is beyond the halo is zero.
pub fn load_patches(
    to: &mut [T],
    arrangement: Arrangement,
    source: &[T],
    layout: Layout,
    tiles: Tiles,
    range: Range<usize>,
    padding: usize,
) {
    let (to, source) = (by_lanes_mut(to), by_lanes(source));
    let (row, pixel) = (layout.row_stride() / LANES, layout.shape.channels / LANES);
    let end = |extent: usize| extent + layout.halo + padding;
    let (bottom, right) = (end(layout.shape.height), end(layout.shape.width));
    for (i, tile) in range.enumerate() {
        let (sample, y, x) = tiles.at(tile);
        let corner = layout.pixel(y as isize - padding as isize, x as isize - padding as isize);
        let source = &source[(sample * layout.sample_len() + corner) / LANES..];
        let (height, width) = (bottom - y, right - x);
        for channel in 0..pixel {
            let (source, to) = (&source[channel..], &mut to[arrangement.at(i, channel)..]);
            if height >= 4 && width >= 4 {
                transform_patch(source, (row, pixel), to, arrangement.position);
            } else {
                let inside = copy::<T, 4>(source, (row, pixel), (height, width));
                transform_patch(inside.as_flattened(), copied::<4>(), to, arrangement.position);
            }
        }
    }
}
}

wide! {
/// Transforms the 2x2 gradients of tiles; what is beyond the image is zero.
pub fn load_gradients(
    to: &mut [T],
    arrangement: Arrangement,
    source: &[T],
    layout: Layout,
    tiles: Tiles,
    range: Range<usize>,
) {
    let (to, source) = (by_lanes_mut(to), by_lanes(source));
    let (row, pixel) = (layout.row_stride() / LANES, layout.shape.channels / LANES);
    for (i, tile) in range.enumerate() {
        let (sample, y, x) = tiles.at(tile);
        let source = &source[(sample * layout.sample_len() + layout.pixel(y as isize, x as isize)) / LANES..];
        let (height, width) = (layout.shape.height - y, layout.shape.width - x);
        for channel in 0..pixel {
            let (source, to) = (&source[channel..], &mut to[arrangement.at(i, channel)..]);
            if height >= 2 && width >= 2 {
                transform_gradient(source, (row, pixel), to, arrangement.position);
            } else {
                let inside = copy::<T, 2>(source, (row, pixel), (height, width));
                transform_gradient(inside.as_flattened(), copied::<2>(), to, arrangement.position);
            }
        }
    }
}
}

wide! {
/// Transforms tiles' products back and puts their 2x2 outputs in place, without those beyond the image.
pub fn store_outputs(
    products: &[T],
    arrangement: Arrangement,
    target: &mut [T],
    layout: Layout,
    tiles: Tiles,
    range: Range<usize>,
    ends: (Start<'_, T>, Finish),
) {
    let (start, finish) = ends;
    let (products, target) = (by_lanes(products), by_lanes_mut(target));
    let (row, pixel) = (layout.row_stride() / LANES, layout.shape.channels / LANES);
    for (i, tile) in range.enumerate() {
        let (sample, y, x) = tiles.at(tile);
        let first = (sample * layout.sample_len() + layout.pixel(y as isize, x as isize)) / LANES;
        let (height, width) = ((layout.shape.height - y).min(2), (layout.shape.width - x).min(2));
        for channel in 0..pixel {
            let mut m = [[[T::zero(); LANES]; 4]; 4];
            let products = &products[arrangement.at(i, channel)..];
            for (position, m) in m.as_flattened_mut().iter_mut().enumerate() {
                *m = products[position * arrangement.position];
            }
            let mut columns = [[[T::zero(); LANES]; 4]; 2];
            for s in 0..4 {
                [columns[0][s], columns[1][s]] = output([m[0][s], m[1][s], m[2][s], m[3][s]]);
            }
            let outputs = [output(columns[0]), output(columns[1])];
            for (r, s) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                if r < height && s < width {
                    let value = outputs[r][s];
                    let to = &mut target[first + r * row + s * pixel + channel];
                    *to = match start {
                        Start::Zero => value,
                        Start::Existing => add(*to, value),
                        Start::Bias(bias) => add(by_lanes(bias)[channel], value),
                    };
                    finish.apply(to);
                }
            }
        }
    }
}
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn transpose<V: Copy, const M: usize, const N: usize>(rows: [[V; N]; M]) -> [[V; M]; N] {
        core::array::from_fn(|j| core::array::from_fn(|i| rows[i][j]))
    }

    /// One patch of one channel through all transforms.
    fn convolve(d: [[f64; 4]; 4], g: [[f64; 3]; 3]) -> [[f64; 2]; 2] {
        let spread = |x: f64| [x; LANES];
        let patches = transpose(transpose(d.map(|row| row.map(spread))).map(patch)).map(patch);
        let mut filter = [0.0; 16 * LANES];
        store_filters(&mut filter, 0, LANES, g.map(|row| row.map(spread)));
        let products: [[Lanes<f64>; 4]; 4] = core::array::from_fn(|i| {
            core::array::from_fn(|j| patches[i][j].map(|v| v * filter[(i * 4 + j) * LANES]))
        });
        transpose(transpose(products).map(output)).map(output).map(|row| row.map(|lanes| lanes[3]))
    }

    fn values<const M: usize, const N: usize>(seed: &[f64]) -> [[f64; N]; M] {
        core::array::from_fn(|i| core::array::from_fn(|j| seed[i * N + j]))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn transforms_convolve(seed in proptest::collection::vec(-1.0f64..1.0, 25)) {
            let (d, g) = (values::<4, 4>(&seed), values::<3, 3>(&seed[16..]));
            let found = convolve(d, g);
            for (i, row) in found.iter().enumerate() {
                for (j, found) in row.iter().enumerate() {
                    let sum: f64 = (0..9).map(|k| d[i + k / 3][j + k % 3] * g[k / 3][k % 3]).sum();
                    prop_assert!((found - sum).abs() < 1e-14);
                }
            }
        }

        /// `<G g G^T, u> = <g, G^T u G>` and `<A^T m, y> = <m, A y>`: what goes backwards is the transpose.
        #[test]
        fn gradients_are_transposes(seed in proptest::collection::vec(-1.0f64..1.0, 25)) {
            let (u, g) = (values::<4, 4>(&seed), values::<3, 3>(&seed[16..]));
            let flat: [f64; 16] = core::array::from_fn(|i| u[i / 4][i % 4]);
            let mut back = [[0.0; LANES]; TAPS];
            store_filter_gradients(
                flat.map(|x| [x; LANES]).as_flattened(),
                LANES,
                back.each_mut().map(<[f64; LANES]>::as_mut_slice),
            );
            let mut forward = [0.0; 16 * LANES];
            store_filters(&mut forward, 0, LANES, g.map(|row| row.map(|x| [x; LANES])));
            let forward: f64 = forward.chunks_exact(LANES).zip(&flat).map(|(a, b)| a[0] * b).sum();
            let back: f64 = back.iter().zip(g.as_flattened()).map(|(a, b)| a[0] * b).sum();
            prop_assert!((forward - back).abs() < 1e-14);

            let spread = |x: f64| [x; LANES];
            let (m, y) = (u[0].map(spread), [g[0][0], g[0][1]].map(spread));
            let dot = |a: &[Lanes<f64>], b: &[Lanes<f64>]| a.iter().zip(b).map(|(a, b)| a[0] * b[0]).sum::<f64>();
            prop_assert!((dot(&output(m), &y) - dot(&m, &gradient(y))).abs() < 1e-14);
        }
    }
}
