use super::{Backward, Forward, InputGradient, Layer, put};
use crate::{Scalar, kernel::wide, layout::Layout, team::Share};
use sam_core::model::Shape;

/// A grid of windows over an image.
#[derive(Clone, Copy)]
struct Windows {
    input: Layout,
    d_input: Layout,
    output: Layout,
    d_output: Layout,
    size: usize,
    stride: usize,
}

impl Windows {
    /// Every output pixel and, for each pixel of its window in row order, the input pixel.
    fn outputs(self) -> impl Iterator<Item = (usize, usize)> {
        let Shape { height, width, .. } = self.output.shape;
        (0..height).flat_map(move |y| (0..width).map(move |x| (y, x)))
    }

    fn window(self, (y, x): (usize, usize)) -> impl Iterator<Item = (isize, isize)> {
        let Self { size, stride, .. } = self;
        (0..size)
            .flat_map(move |r| (0..size).map(move |s| ((y * stride + r) as isize, (x * stride + s) as isize)))
    }
}

#[inline(always)]
fn pixel<T>(sample: &[T], layout: Layout, y: isize, x: isize) -> &[T] {
    &sample[layout.pixel(y, x)..][..layout.shape.channels]
}

#[inline(always)]
fn pixel_mut<T>(sample: &mut [T], layout: Layout, y: isize, x: isize) -> &mut [T] {
    &mut sample[layout.pixel(y, x)..][..layout.shape.channels]
}

/// Sets the image to zero, unless others have put their share there.
fn clear<T: Scalar>(sample: &mut [T], layout: Layout, accumulate: bool) {
    if !accumulate {
        layout.rows_mut(sample).for_each(|row| row.fill(T::zero()));
    }
}

/// Largest value of each window; the first of equals gets the gradient.
pub struct MaxPool {
    windows: Windows,
    /// Which pixel of its window each output came from, `samples x outputs`.
    chosen: Vec<u32>,
}

impl MaxPool {
    pub fn new(input: [Layout; 2], output: [Layout; 2], size: usize, stride: usize, batch: usize) -> Self {
        let ([input, d_input], [output, d_output]) = (input, output);
        let windows = Windows { input, d_input, output, d_output, size, stride };
        Self { windows, chosen: vec![0; batch * output.shape.len()] }
    }
}

impl<T: Scalar> Layer<T> for MaxPool {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let windows = self.windows;
        let Windows { input, output, .. } = windows;
        pass.output
            .chunks_exact_mut(output.sample_len())
            .zip(pass.input.chunks_exact(input.sample_len()))
            .zip(self.chosen.chunks_exact_mut(output.shape.len()))
            .take(pass.samples)
            .share(pass.team, |((to, from), chosen)| max_sample(windows, to, chosen, from));
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let windows = self.windows;
        let Windows { d_input, d_output, .. } = windows;
        values
            .chunks_exact_mut(d_input.sample_len())
            .zip(pass.d_output.chunks_exact(d_output.sample_len()))
            .zip(self.chosen.chunks_exact(d_output.shape.len()))
            .take(pass.samples)
            .share(pass.team, |((to, from), chosen)| {
                clear(to, d_input, accumulate);
                scatter_sample(windows, to, chosen, from);
            });
    }
}

wide! {
fn max_sample(windows: Windows, to: &mut [T], chosen: &mut [u32], from: &[T]) {
    let Windows { input, output, size, stride, .. } = windows;
    let mut chosen = chosen.chunks_exact_mut(output.shape.channels);
    for y in 0..output.shape.height {
        for (x, chosen) in (0..output.shape.width).zip(&mut chosen) {
            let best = pixel_mut(to, output, y as isize, x as isize);
            for k in 0..size * size {
                let (r, s) = (y * stride + k / size, x * stride + k % size);
                keep_larger(best, chosen, pixel(from, input, r as isize, s as isize), k as u32);
            }
        }
    }
}
}

wide! {
fn scatter_sample(windows: Windows, to: &mut [T], chosen: &[u32], from: &[T]) {
    let Windows { d_input, d_output, size, stride, .. } = windows;
    let mut chosen = chosen.chunks_exact(d_output.shape.channels);
    for y in 0..d_output.shape.height {
        for (x, chosen) in (0..d_output.shape.width).zip(&mut chosen) {
            let gradient = pixel(from, d_output, y as isize, x as isize);
            for k in 0..size * size {
                let (r, s) = (y * stride + k / size, x * stride + k % size);
                add_chosen(pixel_mut(to, d_input, r as isize, s as isize), gradient, chosen, k as u32);
            }
        }
    }
}
}

/// Channels that are worked on at a time: copied to a few registers, so that nothing can overlap and the loops
/// vectorise however few channels there are.
const LANES: usize = 8;

/// Keeps the larger of two values in `best`, and in `chosen` the window's pixel `k` where that was the newer. The
/// first pixel is taken as it is; a NaN wins, so that it shows in the loss.
#[inline(always)]
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "a NaN is not at most anything")]
fn keep_larger<T: Scalar>(best: &mut [T], chosen: &mut [u32], values: &[T], k: u32) {
    if k == 0 {
        best.copy_from_slice(values);
        chosen.fill(0);
        return;
    }
    let keep = |best: &mut T, chosen: &mut u32, value: T| {
        let newer = !(value <= *best);
        *best = if newer { value } else { *best };
        *chosen = if newer { k } else { *chosen };
    };
    let (best_lanes, best_rest) = best.as_chunks_mut::<LANES>();
    let (chosen_lanes, chosen_rest) = chosen.as_chunks_mut::<LANES>();
    let (value_lanes, value_rest) = values.as_chunks::<LANES>();
    for ((best, chosen), values) in best_lanes.iter_mut().zip(chosen_lanes).zip(value_lanes) {
        let (mut b, mut c, v) = (*best, *chosen, *values);
        for i in 0..LANES {
            keep(&mut b[i], &mut c[i], v[i]);
        }
        (*best, *chosen) = (b, c);
    }
    for ((best, chosen), value) in best_rest.iter_mut().zip(chosen_rest).zip(value_rest) {
        keep(best, chosen, *value);
    }
}

/// Adds the gradient where pixel `k` of the window was chosen.
#[inline(always)]
fn add_chosen<T: Scalar>(to: &mut [T], gradient: &[T], chosen: &[u32], k: u32) {
    let share = |g: T, chosen: u32| if chosen == k { g } else { T::zero() };
    let (to_lanes, to_rest) = to.as_chunks_mut::<LANES>();
    let (gradient_lanes, gradient_rest) = gradient.as_chunks::<LANES>();
    let (chosen_lanes, chosen_rest) = chosen.as_chunks::<LANES>();
    for ((to, gradient), chosen) in to_lanes.iter_mut().zip(gradient_lanes).zip(chosen_lanes) {
        let (mut t, g, c) = (*to, *gradient, *chosen);
        for i in 0..LANES {
            t[i] += share(g[i], c[i]);
        }
        *to = t;
    }
    for ((to, &g), &chosen) in to_rest.iter_mut().zip(gradient_rest).zip(chosen_rest) {
        *to += share(g, chosen);
    }
}

/// Mean of each window.
pub struct AvgPool(Windows);

impl AvgPool {
    pub fn new(input: [Layout; 2], output: [Layout; 2], size: usize, stride: usize) -> Self {
        let ([input, d_input], [output, d_output]) = (input, output);
        Self(Windows { input, d_input, output, d_output, size, stride })
    }

    fn share<T: Scalar>(&self) -> T {
        T::of(1.0 / (self.0.size * self.0.size) as f64)
    }
}

impl<T: Scalar> Layer<T> for AvgPool {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let (windows, share) = (self.0, self.share::<T>());
        let Windows { input, output, .. } = windows;
        pass.output
            .chunks_exact_mut(output.sample_len())
            .zip(pass.input.chunks_exact(input.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| {
                for at in windows.outputs() {
                    let mean = pixel_mut(to, output, at.0 as isize, at.1 as isize);
                    mean.fill(T::zero());
                    for (y, x) in windows.window(at) {
                        put(mean, pixel(from, input, y, x).iter().map(|&v| v * share), true);
                    }
                }
            });
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let (windows, share) = (self.0, self.share::<T>());
        let Windows { d_input, d_output, .. } = windows;
        values
            .chunks_exact_mut(d_input.sample_len())
            .zip(pass.d_output.chunks_exact(d_output.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| {
                clear(to, d_input, accumulate);
                for at in windows.outputs() {
                    let gradient = pixel(from, d_output, at.0 as isize, at.1 as isize);
                    for (y, x) in windows.window(at) {
                        put(pixel_mut(to, d_input, y, x), gradient.iter().map(|&g| g * share), true);
                    }
                }
            });
    }
}

/// Mean over the whole image.
pub struct GlobalAvgPool {
    pub input: Layout,
    pub d_input: Layout,
}

impl<T: Scalar> Layer<T> for GlobalAvgPool {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let input = self.input;
        let channels = input.shape.channels;
        let share = T::of(1.0 / input.shape.pixels() as f64);
        pass.output
            .chunks_exact_mut(channels)
            .zip(pass.input.chunks_exact(input.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(mean, from)| {
                mean.fill(T::zero());
                for pixel in input.rows(from).flat_map(|row| row.chunks_exact(channels)) {
                    put(mean, pixel.iter().copied(), true);
                }
                mean.iter_mut().for_each(|mean| *mean *= share);
            });
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let layout = self.d_input;
        let channels = layout.shape.channels;
        let share = T::of(1.0 / layout.shape.pixels() as f64);
        values
            .chunks_exact_mut(layout.sample_len())
            .zip(pass.d_output.chunks_exact(channels))
            .take(pass.samples)
            .share(pass.team, |(to, gradient)| {
                for pixel in layout.rows_mut(to).flat_map(|row| row.chunks_exact_mut(channels)) {
                    put(pixel, gradient.iter().map(|&g| g * share), accumulate);
                }
            });
    }
}
