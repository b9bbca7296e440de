//! Functions of one value, other than ReLU, whose gradient is a function of the input.

mod curve;

use super::{Backward, Forward, InputGradient, Layer, Layouts};
use crate::{Number, layout::Layout, team::Share, wide::wide};
use curve::{Curve, Relu6, Sigmoid, Swish};

/// A function that is applied value by value.
#[derive(Clone, Copy, Debug)]
pub enum Function {
    /// `x s(x)`, `s` being the logistic function.
    Swish,
    /// The logistic function.
    Sigmoid,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

/// The layer of a function. Its input must be as it was until the backward pass has been.
pub struct Pointwise {
    function: Function,
    layouts: Layouts,
}

impl Pointwise {
    pub const fn new(layouts: Layouts, function: Function) -> Self {
        Self { function, layouts }
    }
}

impl<T: Number> Layer<T> for Pointwise {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let (function, Layouts { input, output, .. }) = (self.function, self.layouts);
        pass.output
            .chunks_exact_mut(output.sample_len())
            .zip(pass.input.chunks_exact(input.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| values(function, (to, output), (from, input)));
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let (function, Layouts { input, d_input, d_output, .. }) = (self.function, self.layouts);
        values
            .chunks_exact_mut(d_input.sample_len())
            .zip(pass.d_output.chunks_exact(d_output.sample_len()))
            .zip(pass.input.chunks_exact(input.sample_len()))
            .take(pass.samples)
            .share(pass.team, |((to, g), x)| {
                gradients(function, (to, d_input), (g, d_output), (x, input), accumulate);
            });
    }
}

wide! {
/// Of one sample.
fn values(function: Function, to: (&mut [T], Layout), from: (&[T], Layout)) {
    match function {
        Function::Swish => values_of::<T, Swish>(to, from),
        Function::Sigmoid => values_of::<T, Sigmoid>(to, from),
        Function::Relu6 => values_of::<T, Relu6>(to, from),
    }
}
}

#[inline(always)]
fn values_of<T: Number, C: Curve>(to: (&mut [T], Layout), from: (&[T], Layout)) {
    for (to, from) in to.1.rows_mut(to.0).zip(from.1.rows(from.0)) {
        for (to, &x) in to.iter_mut().zip(from) {
            *to = C::value(x);
        }
    }
}

wide! {
/// Of one sample.
fn gradients(
    function: Function,
    to: (&mut [T], Layout),
    g: (&[T], Layout),
    x: (&[T], Layout),
    accumulate: bool,
) {
    match function {
        Function::Swish => gradients_of::<T, Swish>(to, g, x, accumulate),
        Function::Sigmoid => gradients_of::<T, Sigmoid>(to, g, x, accumulate),
        Function::Relu6 => gradients_of::<T, Relu6>(to, g, x, accumulate),
    }
}
}

#[inline(always)]
fn gradients_of<T: Number, C: Curve>(
    to: (&mut [T], Layout),
    g: (&[T], Layout),
    x: (&[T], Layout),
    accumulate: bool,
) {
    for ((to, g), x) in to.1.rows_mut(to.0).zip(g.1.rows(g.0)).zip(x.1.rows(x.0)) {
        for ((to, &g), &x) in to.iter_mut().zip(g).zip(x) {
            let share = C::gradient(g, x);
            *to = if accumulate { *to + share } else { share };
        }
    }
}
