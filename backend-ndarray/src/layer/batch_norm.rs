//! Batch normalisation (Ioffe and Szegedy 2015), with the ReLU that usually follows done in the same sweep:
//! `y = max(gamma (x - mean) / sqrt(var + epsilon) + beta, 0)`, mean and biased variance over samples and pixels.

mod sweep;

use super::{Backward, Forward, InputGradient, Layer, Layouts, Mode};
use crate::{
    Number, Wide,
    buffer::Buffer,
    team::{Share, Team},
};
use num_traits::Zero;
use sam_model::BatchNorm as Settings;
use sweep::Normal;

/// `1 / sqrt(variance + epsilon)`.
pub fn inverse_deviation<T: Number>(variance: T::Wide, epsilon: f64) -> T::Wide {
    (variance + epsilon).sqrt().recip()
}

/// Normalises each channel. Statistics are `[mean.., variance..]`.
pub struct BatchNorm<T: Number> {
    layouts: Layouts,
    settings: Settings,
    relu: bool,
    /// Two rows of sums for each sample, each folded to a number a channel at its front.
    partials: Buffer<T>,
    mean: Vec<T::Wide>,
    variance: Vec<T::Wide>,
    /// Whether these are the running ones, which do not depend on the input.
    constant: bool,
    /// Sums of the backward pass, two a channel.
    sums: Vec<T::Wide>,
    /// Per-channel numbers repeated over a row: mean, factor, offset, shift, slope.
    rows: [Buffer<T>; 5],
}

impl<T: Number> BatchNorm<T> {
    pub fn new(layouts: Layouts, settings: Settings, relu: bool, batch: usize) -> Self {
        let input = layouts.input;
        let (channels, row) = (input.shape.channels, input.row_len());
        Self {
            layouts,
            settings,
            relu,
            partials: Buffer::zeros(batch * 2 * row),
            mean: vec![T::Wide::zero(); channels],
            variance: vec![T::Wide::zero(); channels],
            constant: false,
            sums: vec![T::Wide::zero(); 2 * channels],
            rows: [(); 5].map(|()| Buffer::zeros(row)),
        }
    }

    fn channels(&self) -> usize {
        self.layouts.input.shape.channels
    }

    fn inverse_deviation(&self, channel: usize) -> T::Wide {
        inverse_deviation::<T>(self.variance[channel], self.settings.epsilon)
    }

    /// Mean and biased variance of the batch: each sample's in two sweeps, then merged (Chan et al. 1983), so that
    /// no large mean cancels the variance away.
    fn measure(&mut self, team: &Team, input: &[T], samples: usize) {
        let (layout, row) = (self.layouts.input, self.layouts.input.row_len());
        let pixels = layout.shape.pixels();
        let share = T::of(1.0 / pixels as f64);
        self.partials
            .chunks_exact_mut(2 * row)
            .zip(input.chunks_exact(layout.sample_len()))
            .take(samples)
            .share(team, |(partial, sample)| sweep::measure(sample, layout, partial, share));
        self.mean.fill(T::Wide::zero());
        self.variance.fill(T::Wide::zero());
        for (before, partial) in self.partials.chunks_exact(2 * row).take(samples).enumerate() {
            let (means, spreads) = partial.split_at(row);
            let share = 1.0 / (before + 1) as f64;
            let weight = (before * pixels) as f64 * share;
            for (c, (mean, spread)) in self.mean.iter_mut().zip(&mut self.variance).enumerate() {
                let delta = means[c].wide() - *mean;
                *mean += delta * share;
                *spread += spreads[c].wide() + delta * delta * weight;
            }
        }
        let count = (samples * pixels) as f64;
        self.variance.iter_mut().for_each(|spread| *spread = *spread / count);
    }

    fn repeat(&mut self, row: usize, value: impl Fn(&Self, usize) -> T::Wide) {
        let channels = self.channels();
        for c in 0..channels {
            let value = T::narrow(value(self, c));
            self.rows[row].iter_mut().skip(c).step_by(channels).for_each(|to| *to = value);
        }
    }

    fn prepare(&mut self, params: &[T]) {
        let channels = self.channels();
        self.repeat(0, |own, c| own.mean[c]);
        self.repeat(1, |own, c| params[c].wide() * own.inverse_deviation(c));
        self.repeat(2, |_, c| params[channels + c].wide());
    }

    fn normal(&self) -> Normal<'_, T> {
        let [mean, factor, offset, ..] = &self.rows;
        Normal { mean, factor, offset, relu: self.relu }
    }

    /// Sums over samples and pixels of the gated gradient `g` and of `g (x - mean)`.
    fn sum_products(&mut self, team: &Team, samples: usize, input: &[T], d_output: &[T]) {
        let (channels, row) = (self.channels(), self.layouts.input.row_len());
        let mut partials = core::mem::take(&mut self.partials);
        let (x_layout, g_layout, normal) = (self.layouts.input, self.layouts.d_output, self.normal());
        partials
            .chunks_exact_mut(2 * row)
            .zip(input.chunks_exact(x_layout.sample_len()))
            .zip(d_output.chunks_exact(g_layout.sample_len()))
            .take(samples)
            .share(team, |((partial, x), g)| {
                sweep::sum_products((x, x_layout), (g, g_layout), normal, partial);
            });
        self.sums.fill(T::Wide::zero());
        let (sums, products) = self.sums.split_at_mut(channels);
        for partial in partials.chunks_exact(2 * row).take(samples) {
            for (sums, part) in [&mut *sums, &mut *products].into_iter().zip(partial.chunks_exact(row)) {
                sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part.wide());
            }
        }
        self.partials = partials;
    }
}

impl<T: Number> Layer<T> for BatchNorm<T> {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let channels = self.channels();
        let (running_mean, running_variance) = pass.statistics.split_at_mut(channels);
        self.constant = matches!(pass.mode, Mode::Frozen | Mode::Evaluate);
        if self.constant {
            self.mean.iter_mut().zip(&*running_mean).for_each(|(to, from)| *to = from.wide());
            self.variance.iter_mut().zip(&*running_variance).for_each(|(to, from)| *to = from.wide());
        } else {
            self.measure(pass.team, pass.input, pass.samples);
        }
        if pass.mode == Mode::Clean {
            let count = (pass.samples * self.layouts.input.shape.pixels()) as f64;
            let Settings { momentum, unbiased, .. } = self.settings;
            let factor = if unbiased { count / (count - 1.0).max(1.0) } else { 1.0 };
            for c in 0..channels {
                // A record of what was seen, not a function of the parameters: values alone.
                let follow =
                    |old: &mut T, new: f64| *old = T::of(old.value() + momentum * (new - old.value()));
                follow(&mut running_mean[c], self.mean[c].value());
                follow(&mut running_variance[c], self.variance[c].value() * factor);
            }
        }
        self.prepare(pass.params);
        let (Layouts { input, output, .. }, normal) = (self.layouts, self.normal());
        pass.output
            .chunks_exact_mut(output.sample_len())
            .zip(pass.input.chunks_exact(input.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(y, x)| sweep::normalise((y, output), (x, input), normal));
    }

    /// With `g` the gradient of the output, zero where ReLU is off, and N the values of a channel:
    /// `d beta = sum g`, `d gamma = sum g x_hat`, `dx = gamma / deviation (g - d beta / N - x_hat d gamma / N)`. Constant statistics leave `dx = gamma / deviation g`.
    fn backward(&mut self, pass: Backward<'_, T>) {
        let channels = self.channels();
        self.sum_products(pass.team, pass.samples, pass.input, pass.d_output);
        for c in 0..channels {
            pass.grads[c] = T::narrow(self.sums[channels + c] * self.inverse_deviation(c));
            pass.grads[channels + c] = T::narrow(self.sums[c]);
        }

        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let count = (pass.samples * self.layouts.input.shape.pixels()) as f64;
        if self.constant {
            self.rows[3..].iter_mut().for_each(|row| row.fill(T::zero()));
        } else {
            self.repeat(3, |own, c| own.sums[c] / count);
            self.repeat(4, |own, c| {
                let inverse = own.inverse_deviation(c);
                own.sums[channels + c] / count * (inverse * inverse)
            });
        }
        let Layouts { input, d_input, d_output, .. } = self.layouts;
        let (normal, corrections) = (self.normal(), (&self.rows[3][..], &self.rows[4][..]));
        values
            .chunks_exact_mut(d_input.sample_len())
            .zip(pass.input.chunks_exact(input.sample_len()))
            .zip(pass.d_output.chunks_exact(d_output.sample_len()))
            .take(pass.samples)
            .share(pass.team, |((dx, x), g)| {
                let (x, g) = ((x, input), (g, d_output));
                sweep::input_gradient((dx, d_input), x, g, normal, corrections, accumulate);
            });
    }
}
