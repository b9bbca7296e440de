//! Largest values of windows.

use super::Windows;
use crate::{
    Number,
    layer::{Backward, Forward, InputGradient, Layer, Layouts},
    layout::Layout,
    team::Share,
    wide::wide,
};
use core::ops::Range;

/// No pixel of a window: its largest value does not depend on any.
const NONE: u32 = u32::MAX;
/// Channels that are worked on at a time, in registers.
const LANES: usize = 8;

/// Largest value of each window; the first of equals gets the gradient. A NaN is the largest, so that it shows in the
/// loss.
///
/// A ReLU before it may be part of it: the largest rectified value is the largest value rectified.
pub struct MaxPool {
    windows: Windows,
    relu: bool,
    /// Which pixel of its window each output came from, `samples x outputs`.
    chosen: Vec<u32>,
}

impl MaxPool {
    pub fn new(windows: Windows, relu: bool, batch: usize) -> Self {
        let chosen = vec![0; batch * windows.layouts.output.shape.len()];
        Self { windows, relu, chosen }
    }
}

impl<T: Number> Layer<T> for MaxPool {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let (windows, relu) = (self.windows, self.relu);
        let Layouts { input, output, .. } = windows.layouts;
        pass.output
            .chunks_exact_mut(output.sample_len())
            .zip(pass.input.chunks_exact(input.sample_len()))
            .zip(self.chosen.chunks_exact_mut(output.shape.len()))
            .take(pass.samples)
            .share(pass.team, |((to, from), chosen)| choose(windows, relu, to, chosen, from));
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let windows = self.windows;
        let Windows { layouts: Layouts { d_input, d_output, .. }, size, stride, before, .. } = windows;
        let extents = |layout: Layout| [layout.shape.height, layout.shape.width];
        // With padding, the last rows and columns may be in no window.
        let tiled =
            size == stride && before == [0, 0] && extents(d_output).map(|n| n * size) == extents(d_input);
        values
            .chunks_exact_mut(d_input.sample_len())
            .zip(pass.d_output.chunks_exact(d_output.sample_len()))
            .zip(self.chosen.chunks_exact(d_output.shape.len()))
            .take(pass.samples)
            .share(pass.team, |((to, from), chosen)| {
                if !accumulate && !tiled {
                    d_input.clear(to);
                }
                give(windows, accumulate || !tiled, to, chosen, from);
            });
    }
}

wide! {
/// The forward pass of a sample.
fn choose(windows: Windows, relu: bool, to: &mut [T], chosen: &mut [u32], from: &[T]) {
    let Windows { layouts: Layouts { input, output, .. }, size, before, .. } = windows;
    let channels = output.shape.channels;
    let (row, even) = (input.row_stride(), channels - channels % LANES);
    for (pixel, chosen) in chosen.chunks_exact_mut(channels).enumerate() {
        let (y, x) = (pixel / output.shape.width, pixel % output.shape.width);
        let (first, inside) = ([windows.first(y, before[0]), windows.first(x, before[1])], windows.inside((y, x)));
        let window = &from[input.pixel(first[0] as isize, first[1] as isize)..];
        let to = &mut to[output.pixel(y as isize, x as isize)..][..channels];
        for c in (0..even).step_by(LANES) {
            let lanes = largest::<T, LANES>(&window[c..], size, &inside, [row, channels], relu);
            to[c..][..LANES].copy_from_slice(&lanes.0);
            chosen[c..][..LANES].copy_from_slice(&lanes.1);
        }
        for c in even..channels {
            let lane = largest::<T, 1>(&window[c..], size, &inside, [row, channels], relu);
            (to[c], chosen[c]) = (lane.0[0], lane.1[0]);
        }
    }
}
}

/// The largest values of a window of pixels that lie `row` and `pixel` apart, of which `window` begins with the first that is
/// inside the image, and where they are. Behind a ReLU they
/// are at least zero.
#[inline(always)]
#[expect(clippy::eq_op, reason = "so is a NaN told, which has no order")]
fn largest<T: Number, const N: usize>(
    window: &[T],
    size: usize,
    inside: &[Range<usize>; 2],
    [row, pixel]: [usize; 2],
    relu: bool,
) -> ([T; N], [u32; N]) {
    let [rows, columns] = inside;
    let number = |r: usize, s: usize| (r * size + s) as u32;
    let first = number(rows.start, columns.start);
    let (mut best, mut chosen) = ([T::zero(); N], [if relu { NONE } else { first }; N]);
    if !relu {
        best.copy_from_slice(&window[..N]);
    }
    for r in rows.clone() {
        for s in columns.clone() {
            let k = number(r, s);
            let mut values = [T::zero(); N];
            values.copy_from_slice(&window[(r - rows.start) * row + (s - columns.start) * pixel..][..N]);
            for i in 0..N {
                let larger = (values[i] > best[i]) | (values[i] != values[i]);
                best[i] = if larger { values[i] } else { best[i] };
                chosen[i] = if larger { k } else { chosen[i] };
            }
        }
    }
    (best, chosen)
}

wide! {
/// The backward pass of a sample: writes each window's gradient where its largest value was and zeros elsewhere, or
/// adds it.
fn give(windows: Windows, add: bool, to: &mut [T], chosen: &[u32], from: &[T]) {
    let Windows { layouts: Layouts { d_input, d_output, .. }, size, before, .. } = windows;
    let channels = d_output.shape.channels;
    let (row, even) = (d_input.row_stride(), channels - channels % LANES);
    for (pixel, chosen) in chosen.chunks_exact(channels).enumerate() {
        let (y, x) = (pixel / d_output.shape.width, pixel % d_output.shape.width);
        let (first, inside) = ([windows.first(y, before[0]), windows.first(x, before[1])], windows.inside((y, x)));
        let window = &mut to[d_input.pixel(first[0] as isize, first[1] as isize)..];
        let from = &from[d_output.pixel(y as isize, x as isize)..][..channels];
        for c in (0..even).step_by(LANES) {
            give_lanes::<T, LANES>(&mut window[c..], size, &inside, [row, channels], add, &chosen[c..], &from[c..]);
        }
        for c in even..channels {
            give_lanes::<T, 1>(&mut window[c..], size, &inside, [row, channels], add, &chosen[c..], &from[c..]);
        }
    }
}
}

#[inline(always)]
fn give_lanes<T: Number, const N: usize>(
    window: &mut [T],
    size: usize,
    inside: &[Range<usize>; 2],
    [row, pixel]: [usize; 2],
    add: bool,
    chosen: &[u32],
    from: &[T],
) {
    let (mut gradient, mut which) = ([T::zero(); N], [0; N]);
    gradient.copy_from_slice(&from[..N]);
    which.copy_from_slice(&chosen[..N]);
    let [rows, columns] = inside;
    for r in rows.clone() {
        for s in columns.clone() {
            let k = (r * size + s) as u32;
            let to = &mut window[(r - rows.start) * row + (s - columns.start) * pixel..][..N];
            let mut values = [T::zero(); N];
            if add {
                values.copy_from_slice(to);
            }
            for i in 0..N {
                values[i] += if which[i] == k { gradient[i] } else { T::zero() };
            }
            to.copy_from_slice(&values);
        }
    }
}
