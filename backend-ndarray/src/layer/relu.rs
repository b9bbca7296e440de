//! `max(x, 0)`. NaN stays NaN, so that it shows in the loss.

use super::put;
use crate::{
    Number,
    layout::Layout,
    product::rectify,
    team::{Share, Team},
    wide::wide,
};

/// Elements that one task works on.
const CHUNK: usize = 16_384;

/// A gradient behind ReLU: zero where the output is zero.
#[inline(always)]
fn gate<T: Number>(g: T, y: T) -> T {
    if y == T::zero() { T::zero() } else { g }
}

/// Rectifies every value; a halo stays zero.
pub fn forward_in_place<T: Number>(team: &Team, values: &mut [T]) {
    values.chunks_mut(CHUNK).share(team, |chunk| rectify_all(chunk));
}

/// Gates the gradient by the output. Both have `samples` samples, whose halos may differ.
pub fn backward_in_place<T: Number>(
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

/// Rectifies a tensor that others read too.
pub fn forward<T: Number>(
    team: &Team,
    samples: usize,
    (input, layout): (&[T], Layout),
    (output, output_layout): (&mut [T], Layout),
) {
    output
        .chunks_exact_mut(output_layout.sample_len())
        .zip(input.chunks_exact(layout.sample_len()))
        .take(samples)
        .share(team, |(to, from)| {
            for (to, from) in output_layout.rows_mut(to).zip(layout.rows(from)) {
                put(to, from.iter().map(|&x| rectify(x)), false);
            }
        });
}

/// Writes or adds the gradient gated by the output to one that others have a share in, or that lies elsewhere.
pub fn backward<T: Number>(
    team: &Team,
    samples: usize,
    (output, layout): (&[T], Layout),
    (gradient, gradient_layout): (&[T], Layout),
    (to, to_layout): (&mut [T], Layout),
    accumulate: bool,
) {
    to.chunks_exact_mut(to_layout.sample_len())
        .zip(output.chunks_exact(layout.sample_len()))
        .zip(gradient.chunks_exact(gradient_layout.sample_len()))
        .take(samples)
        .share(team, |((to, y), g)| {
            for ((to, y), g) in to_layout.rows_mut(to).zip(layout.rows(y)).zip(gradient_layout.rows(g)) {
                put(to, g.iter().zip(y).map(|(&g, &y)| gate(g, y)), accumulate);
            }
        });
}
