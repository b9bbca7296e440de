//! Batch normalisation (Ioffe and Szegedy 2015), with the ReLU that usually follows done in the same sweep:
//! `y = max(gamma (x - mean) / sqrt(var + 1e-5) + beta, 0)`, mean and biased variance over samples and pixels.

use super::{Backward, Forward, InputGradient, Layer, Mode, put};
use crate::{Scalar, layout::Layout};
use rayon::prelude::*;

/// Added to the variance.
pub const EPSILON: f64 = 1e-5;
/// Share of the newest batch in the running statistics.
pub const MOMENTUM: f64 = 0.1;

/// Normalises each channel. Statistics are `[mean.., variance..]`, the variance unbiased.
pub struct BatchNorm<T> {
    input: Layout,
    d_input: Layout,
    output: Layout,
    d_output: Layout,
    relu: bool,
    /// Two numbers a channel for each sample.
    partials: Vec<T>,
    mean: Vec<f64>,
    inverse_deviation: Vec<f64>,
    /// Per-channel factors repeated over one row, so that sweeps run over whole rows: mean, factor, offset.
    rows: [Vec<T>; 3],
}

impl<T: Scalar> BatchNorm<T> {
    pub fn new(input: [Layout; 2], output: [Layout; 2], relu: bool, batch: usize) -> Self {
        let ([input, d_input], [output, d_output]) = (input, output);
        let channels = input.shape.channels;
        Self {
            input,
            d_input,
            output,
            d_output,
            relu,
            partials: vec![T::zero(); batch * 2 * channels],
            mean: vec![0.0; channels],
            inverse_deviation: vec![0.0; channels],
            rows: [(); 3].map(|()| vec![T::zero(); input.row_len()]),
        }
    }

    fn channels(&self) -> usize {
        self.input.shape.channels
    }

    /// Mean and biased variance of the batch: per sample in two sweeps, samples merged exactly (Chan et al. 1983),
    /// so that no large mean cancels the variance away.
    fn measure(&mut self, input: &[T], samples: usize) -> Vec<f64> {
        let (layout, channels) = (self.input, self.channels());
        let pixels = layout.shape.pixels();
        self.partials
            .par_chunks_exact_mut(2 * channels)
            .zip(input.par_chunks_exact(layout.sample_len()))
            .take(samples)
            .for_each(|(partial, sample)| {
                let (mean, spread) = partial.split_at_mut(channels);
                sum_pixels(mean, layout.rows(sample), |sum, x, _| sum + x);
                mean.iter_mut().for_each(|mean| *mean = *mean / T::of(pixels as f64));
                let mean = &*mean;
                sum_pixels(spread, layout.rows(sample), |sum, x, c| {
                    let d = x - mean[c];
                    sum + d * d
                });
            });
        let mut spread = vec![0.0; channels];
        self.mean.fill(0.0);
        for (before, partial) in self.partials.chunks_exact(2 * channels).take(samples).enumerate() {
            let (means, spreads) = partial.split_at(channels);
            let share = 1.0 / (before + 1) as f64;
            for (c, mean) in self.mean.iter_mut().enumerate() {
                let delta = means[c].wide() - *mean;
                *mean += delta * share;
                spread[c] += spreads[c].wide() + delta * delta * (before * pixels) as f64 * share;
            }
        }
        spread.iter_mut().for_each(|spread| *spread /= (samples * pixels) as f64);
        spread
    }

    fn repeat(&mut self, row: usize, value: impl Fn(&Self, usize) -> f64) {
        let channels = self.channels();
        for c in 0..channels {
            let value = T::of(value(self, c));
            self.rows[row].iter_mut().skip(c).step_by(channels).for_each(|to| *to = value);
        }
    }

    /// Rows of mean, factor and offset: `y = (x - mean) factor + offset`.
    fn prepare(&mut self, params: &[T]) {
        let channels = self.channels();
        self.repeat(0, |own, c| own.mean[c]);
        self.repeat(1, |own, c| params[c].wide() * own.inverse_deviation[c]);
        self.repeat(2, |_, c| params[channels + c].wide());
    }
}

/// Sums over the pixels of rows, per channel: `sum(so far, value, channel)`.
fn sum_pixels<'a, T: Scalar>(
    sums: &mut [T],
    rows: impl Iterator<Item = &'a [T]>,
    sum: impl Fn(T, T, usize) -> T,
) {
    sums.fill(T::zero());
    let channels = sums.len();
    for pixel in rows.flat_map(|row| row.chunks_exact(channels)) {
        for (c, (so_far, &x)) in sums.iter_mut().zip(pixel).enumerate() {
            *so_far = sum(*so_far, x, c);
        }
    }
}

impl<T: Scalar> Layer<T> for BatchNorm<T> {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let channels = self.channels();
        let (running_mean, running_variance) = pass.statistics.split_at_mut(channels);
        let mut variance: Vec<f64> = running_variance.iter().map(|v| v.wide()).collect();
        if pass.mode == Mode::Evaluate {
            self.mean.iter_mut().zip(&*running_mean).for_each(|(to, from)| *to = from.wide());
        } else {
            variance = self.measure(pass.input, pass.samples);
        }
        if pass.mode == Mode::Clean {
            let count = (pass.samples * self.input.shape.pixels()) as f64;
            let unbiased = count / (count - 1.0).max(1.0);
            for c in 0..channels {
                let follow = |old: &mut T, new: f64| *old = T::of(old.wide() + MOMENTUM * (new - old.wide()));
                follow(&mut running_mean[c], self.mean[c]);
                follow(&mut running_variance[c], variance[c] * unbiased);
            }
        }
        for (to, variance) in self.inverse_deviation.iter_mut().zip(&variance) {
            *to = 1.0 / (variance + EPSILON).sqrt();
        }
        self.prepare(pass.params);

        let (input, output, relu) = (self.input, self.output, self.relu);
        let [mean, factor, offset] = &self.rows;
        pass.output
            .par_chunks_exact_mut(output.sample_len())
            .zip(pass.input.par_chunks_exact(input.sample_len()))
            .take(pass.samples)
            .for_each(|(to, from)| {
                for (to, from) in output.rows_mut(to).zip(input.rows(from)) {
                    for ((((y, &x), &mean), &factor), &offset) in
                        to.iter_mut().zip(from).zip(mean).zip(factor).zip(offset)
                    {
                        let value = (x - mean) * factor + offset;
                        *y = if relu && value < T::zero() { T::zero() } else { value };
                    }
                }
            });
    }

    /// With `g` the gradient of the output, zero where ReLU is off, and N the values of a channel:
    /// `d beta = sum g`, `d gamma = sum g x_hat`, `dx = gamma / deviation (g - d beta / N - x_hat d gamma / N)`.
    fn backward(&mut self, pass: Backward<'_, T>) {
        self.prepare(pass.params);
        let channels = self.channels();
        let (input, d_input, output, d_output) = (self.input, self.d_input, self.output, self.d_output);
        let relu = self.relu;
        debug_assert_eq!(output.shape, d_output.shape);
        let [mean, factor, offset] = &self.rows;
        // Whether ReLU lets the gradient through: the very expression of the forward pass.
        let on = |x: T, i: usize| !relu || (x - mean[i]) * factor[i] + offset[i] > T::zero();

        self.partials
            .par_chunks_exact_mut(2 * channels)
            .zip(pass.input.par_chunks_exact(input.sample_len()))
            .zip(pass.d_output.par_chunks_exact(d_output.sample_len()))
            .take(pass.samples)
            .for_each(|((partial, x), g)| {
                partial.fill(T::zero());
                let (sum, product) = partial.split_at_mut(channels);
                for (x, g) in input.rows(x).zip(d_output.rows(g)) {
                    for (p, (x, g)) in x.chunks_exact(channels).zip(g.chunks_exact(channels)).enumerate() {
                        let first = p * channels;
                        for (c, ((sum, product), (&x, &g))) in
                            sum.iter_mut().zip(&mut *product).zip(x.iter().zip(g)).enumerate()
                        {
                            let g = if on(x, first + c) { g } else { T::zero() };
                            *sum += g;
                            *product += g * (x - mean[first + c]);
                        }
                    }
                }
            });
        let mut sums = vec![0.0; 2 * channels];
        for partial in self.partials.chunks_exact(2 * channels).take(pass.samples) {
            sums.iter_mut().zip(partial).for_each(|(sum, part)| *sum += part.wide());
        }
        let (sum, product) = sums.split_at(channels);
        for c in 0..channels {
            pass.grads[c] = T::of(product[c] * self.inverse_deviation[c]);
            pass.grads[channels + c] = T::of(sum[c]);
        }

        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let count = (pass.samples * input.shape.pixels()) as f64;
        let repeat = |value: &dyn Fn(usize) -> f64| -> Vec<T> {
            (0..input.row_len()).map(|i| T::of(value(i % channels))).collect()
        };
        let shift = repeat(&|c| sum[c] / count);
        let slope = repeat(&|c| product[c] / count * self.inverse_deviation[c].powi(2));
        values
            .par_chunks_exact_mut(d_input.sample_len())
            .zip(pass.input.par_chunks_exact(input.sample_len()))
            .zip(pass.d_output.par_chunks_exact(d_output.sample_len()))
            .take(pass.samples)
            .for_each(|((to, x), g)| {
                for ((to, x), g) in d_input.rows_mut(to).zip(input.rows(x)).zip(d_output.rows(g)) {
                    let values = x.iter().zip(g).enumerate().map(|(i, (&x, &g))| {
                        let g = if on(x, i) { g } else { T::zero() };
                        factor[i] * (g - shift[i] - (x - mean[i]) * slope[i])
                    });
                    put(to, values, accumulate);
                }
            });
    }
}
