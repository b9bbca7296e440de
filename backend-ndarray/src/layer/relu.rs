//! `max(x, 0)`. NaN stays NaN, so that it shows in the loss.

use super::{Backward, Forward, InputGradient, Layer, put};
use crate::{
    Scalar,
    kernel::wide,
    layout::Layout,
    team::{Share, Team},
};

/// Elements that one task works on.
const CHUNK: usize = 16_384;

/// At 0 too it is a constant, as the gradient has it: so a derivative that comes along is cut off there as well.
#[inline(always)]
pub fn rectify<T: Scalar>(x: T) -> T {
    if x <= T::zero() { T::zero() } else { x }
}

/// A gradient behind ReLU: zero where the output is zero.
#[inline(always)]
fn gate<T: Scalar>(g: T, y: T) -> T {
    if y == T::zero() { T::zero() } else { g }
}

/// Rectifies every value; a halo stays zero.
pub fn forward_in_place<T: Scalar>(team: &Team, values: &mut [T]) {
    values.chunks_mut(CHUNK).share(team, |chunk| rectify_all(chunk));
}

/// Gates the gradient by the output. Both have `samples` samples, whose halos may differ.
pub fn backward_in_place<T: Scalar>(
    team: &Team,
    samples: usize,
    (output, layout): (&[T], Layout),
    (gradient, gradient_layout): (&mut [T], Layout),
) {
    gradient
        .chunks_exact_mut(gradient_layout.sample_len())
        .zip(output.chunks_exact(layout.sample_len()))
        .take(samples)
        .share(team, |(gradient, output)| gate_sample(gradient, gradient_layout, output, layout));
}

wide! {
fn rectify_all(values: &mut [T]) {
    for x in values {
        *x = rectify(*x);
    }
}
}

wide! {
fn gate_sample(gradient: &mut [T], gradient_layout: Layout, output: &[T], layout: Layout) {
    for (gradient, output) in gradient_layout.rows_mut(gradient).zip(layout.rows(output)) {
        for (g, &y) in gradient.iter_mut().zip(output) {
            *g = gate(*g, y);
        }
    }
}
}

/// ReLU of a tensor that others read too.
pub struct Relu {
    pub input: [Layout; 2],
    pub output: [Layout; 2],
}

impl<T: Scalar> Layer<T> for Relu {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let (input, output) = (self.input[0], self.output[0]);
        pass.output
            .chunks_exact_mut(output.sample_len())
            .zip(pass.input.chunks_exact(input.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| {
                for (to, from) in output.rows_mut(to).zip(input.rows(from)) {
                    put(to, from.iter().map(|&x| rectify(x)), false);
                }
            });
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let ([input, d_input], d_output) = (self.input, self.output[1]);
        values
            .chunks_exact_mut(d_input.sample_len())
            .zip(pass.input.chunks_exact(input.sample_len()))
            .zip(pass.d_output.chunks_exact(d_output.sample_len()))
            .take(pass.samples)
            .share(pass.team, |((to, x), g)| {
                for ((to, x), g) in d_input.rows_mut(to).zip(input.rows(x)).zip(d_output.rows(g)) {
                    put(to, g.iter().zip(x).map(|(&g, &x)| gate(g, rectify(x))), accumulate);
                }
            });
    }
}
