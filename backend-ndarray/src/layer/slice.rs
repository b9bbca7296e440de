//! Layers that only move values: some of an image's pixels, and channels of zeros behind its own.

use super::{Backward, Forward, InputGradient, Layer, Layouts, put};
use crate::{Number, team::Share};

/// Every `stride`th pixel from `(shift, shift)` on; zeros beyond the image.
pub struct Subsample {
    layouts: Layouts,
    stride: usize,
    shift: usize,
}

impl Subsample {
    pub const fn new(layouts: Layouts, stride: usize, shift: usize) -> Self {
        Self { layouts, stride, shift }
    }

    /// Every output pixel with the input pixel that it is, if that is in the image.
    fn pixels(&self) -> impl Iterator<Item = ([usize; 2], Option<[usize; 2]>)> + use<> {
        let (input, output) = (self.layouts.input.shape, self.layouts.output.shape);
        let from = |at: usize, stride, shift| at * stride + shift;
        let (stride, shift) = (self.stride, self.shift);
        (0..output.height).flat_map(move |y| (0..output.width).map(move |x| [y, x])).map(move |to| {
            let [y, x] = to.map(|at| from(at, stride, shift));
            (to, (y < input.height && x < input.width).then_some([y, x]))
        })
    }
}

impl<T: Number> Layer<T> for Subsample {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let (own, Layouts { input, output, .. }) = (&*self, self.layouts);
        pass.output
            .chunks_exact_mut(output.sample_len())
            .zip(pass.input.chunks_exact(input.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| {
                for ([y, x], source) in own.pixels() {
                    let to = &mut to[output.pixel(y as isize, x as isize)..][..output.shape.channels];
                    match source {
                        Some([y, x]) => {
                            to.copy_from_slice(&from[input.pixel(y as isize, x as isize)..][..to.len()]);
                        }
                        None => to.fill(T::zero()),
                    }
                }
            });
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let (own, Layouts { d_input, d_output, .. }) = (&*self, self.layouts);
        values
            .chunks_exact_mut(d_input.sample_len())
            .zip(pass.d_output.chunks_exact(d_output.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| {
                if !accumulate {
                    d_input.clear(to);
                }
                for ([y, x], source) in own.pixels() {
                    let Some([to_y, to_x]) = source else { continue };
                    let from = &from[d_output.pixel(y as isize, x as isize)..][..d_output.shape.channels];
                    let to = &mut to[d_input.pixel(to_y as isize, to_x as isize)..];
                    put(to, from.iter().copied(), true);
                }
            });
    }
}

/// Channels of zeros behind an image's own.
pub struct PadChannels(pub Layouts);

impl<T: Number> Layer<T> for PadChannels {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let Layouts { input, output, .. } = self.0;
        let (own, all) = (input.shape.channels, output.shape.channels);
        pass.output
            .chunks_exact_mut(output.sample_len())
            .zip(pass.input.chunks_exact(input.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| {
                for (to, from) in output.rows_mut(to).zip(input.rows(from)) {
                    for (to, from) in to.chunks_exact_mut(all).zip(from.chunks_exact(own)) {
                        let (values, zeros) = to.split_at_mut(own);
                        values.copy_from_slice(from);
                        zeros.fill(T::zero());
                    }
                }
            });
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let Layouts { d_input, d_output, .. } = self.0;
        let (own, all) = (d_input.shape.channels, d_output.shape.channels);
        values
            .chunks_exact_mut(d_input.sample_len())
            .zip(pass.d_output.chunks_exact(d_output.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| {
                for (to, from) in d_input.rows_mut(to).zip(d_output.rows(from)) {
                    for (to, from) in to.chunks_exact_mut(own).zip(from.chunks_exact(all)) {
                        put(to, from[..own].iter().copied(), accumulate);
                    }
                }
            });
    }
}
