//! Means of windows, and of whole images.

use super::Windows;
use crate::{
    Number,
    layer::{Backward, Forward, InputGradient, Layer, Layouts, put},
    layout::Layout,
    team::Share,
};

fn pixel<T>(sample: &[T], layout: Layout, (y, x): (isize, isize)) -> &[T] {
    &sample[layout.pixel(y, x)..][..layout.shape.channels]
}

fn pixel_mut<T>(sample: &mut [T], layout: Layout, (y, x): (isize, isize)) -> &mut [T] {
    &mut sample[layout.pixel(y, x)..][..layout.shape.channels]
}

/// Mean of each window, zeros outside the image included.
pub struct AvgPool(pub Windows);

impl AvgPool {
    fn share<T: Number>(&self) -> T {
        T::of(1.0 / (self.0.size * self.0.size) as f64)
    }
}

impl<T: Number> Layer<T> for AvgPool {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let (windows, share) = (self.0, self.share::<T>());
        let Layouts { input, output, .. } = windows.layouts;
        pass.output
            .chunks_exact_mut(output.sample_len())
            .zip(pass.input.chunks_exact(input.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| {
                for (y, x) in windows.outputs() {
                    let mean = pixel_mut(to, output, (y as isize, x as isize));
                    mean.fill(T::zero());
                    for at in windows.window((y, x)) {
                        put(mean, pixel(from, input, at).iter().map(|&v| v * share), true);
                    }
                }
            });
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let (windows, share) = (self.0, self.share::<T>());
        let Layouts { d_input, d_output, .. } = windows.layouts;
        values
            .chunks_exact_mut(d_input.sample_len())
            .zip(pass.d_output.chunks_exact(d_output.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| {
                if !accumulate {
                    d_input.clear(to);
                }
                for (y, x) in windows.outputs() {
                    let gradient = pixel(from, d_output, (y as isize, x as isize));
                    for at in windows.window((y, x)) {
                        put(pixel_mut(to, d_input, at), gradient.iter().map(|&g| g * share), true);
                    }
                }
            });
    }
}

/// Mean over the whole image.
pub struct GlobalAvgPool(pub Layouts);

impl<T: Number> Layer<T> for GlobalAvgPool {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let Layouts { input, output, .. } = self.0;
        let channels = input.shape.channels;
        let share = T::of(1.0 / input.shape.pixels() as f64);
        output.vectors_mut(pass.output, pass.samples).zip(pass.input.chunks_exact(input.sample_len())).share(
            pass.team,
            |(mean, from)| {
                mean.fill(T::zero());
                for pixel in input.rows(from).flat_map(|row| row.chunks_exact(channels)) {
                    put(mean, pixel.iter().copied(), true);
                }
                mean.iter_mut().for_each(|mean| *mean *= share);
            },
        );
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let Layouts { d_input, d_output, .. } = self.0;
        let channels = d_input.shape.channels;
        let share = T::of(1.0 / d_input.shape.pixels() as f64);
        values
            .chunks_exact_mut(d_input.sample_len())
            .zip(d_output.vectors(pass.d_output, pass.samples))
            .share(pass.team, |(to, gradient)| {
                for pixel in d_input.rows_mut(to).flat_map(|row| row.chunks_exact_mut(channels)) {
                    put(pixel, gradient.iter().map(|&g| g * share), accumulate);
                }
            });
    }
}
