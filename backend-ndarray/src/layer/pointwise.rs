//! Functions of one value, other than ReLU, whose gradient is a function of the input.

use super::{Backward, Forward, InputGradient, Layer, Layouts, put};
use crate::{Scalar, Wide, team::Share};

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

impl Function {
    #[inline(always)]
    fn value<W: Wide>(self, x: W) -> W {
        match self {
            Self::Swish => x * logistic(x),
            Self::Sigmoid => logistic(x),
            // A NaN, which has no order, stays one; where the value is constant, so is a derivative that comes along.
            Self::Relu6 if x.value() <= 0.0 => W::zero(),
            Self::Relu6 if x.value() >= 6.0 => W::of(6.0),
            Self::Relu6 => x,
        }
    }

    /// Its derivative.
    #[inline(always)]
    fn slope<W: Wide>(self, x: W) -> W {
        match self {
            Self::Swish => {
                let s = logistic(x);
                s * (x * (-s + 1.0) + 1.0)
            }
            // `1 - s(x)` is `s(-x)`, which keeps its digits.
            Self::Sigmoid => logistic(x) * logistic(-x),
            Self::Relu6 if x.value() <= 0.0 || x.value() >= 6.0 => W::zero(),
            Self::Relu6 => W::of(1.0),
        }
    }
}

/// `1 / (1 + e^-x)`. The power is at most 1: where it overflowed, a derivative that comes along would be NaN.
#[inline(always)]
fn logistic<W: Wide>(x: W) -> W {
    if x.value() >= 0.0 {
        ((-x).exp() + 1.0).recip()
    } else {
        let power = x.exp();
        power * (power + 1.0).recip()
    }
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

impl<T: Scalar> Layer<T> for Pointwise {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let (function, Layouts { input, output, .. }) = (self.function, self.layouts);
        pass.output
            .chunks_exact_mut(output.sample_len())
            .zip(pass.input.chunks_exact(input.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| {
                for (to, from) in output.rows_mut(to).zip(input.rows(from)) {
                    put(to, from.iter().map(|x| T::narrow(function.value(x.wide()))), false);
                }
            });
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let (function, Layouts { input, d_input, d_output, .. }) = (self.function, self.layouts);
        values
            .chunks_exact_mut(d_input.sample_len())
            .zip(pass.d_output.chunks_exact(d_output.sample_len()))
            .zip(pass.input.chunks_exact(input.sample_len()))
            .take(pass.samples)
            .share(pass.team, |((to, gradient), from)| {
                let rows = d_input.rows_mut(to).zip(d_output.rows(gradient)).zip(input.rows(from));
                for ((to, gradient), from) in rows {
                    let share = |(g, x): (&T, &T)| T::narrow(g.wide() * function.slope(x.wide()));
                    put(to, gradient.iter().zip(from).map(share), accumulate);
                }
            });
    }
}

#[cfg(test)]
mod tests {
    use super::Function;

    /// Of some values the function's, its derivative's and that one's derivative's, in 60 decimal digits and rounded.
    const SWISH: [[f64; 4]; 9] = [
        [-40.0, -1.6993417021166355e-16, -1.6568581595637197e-16, -1.6143746170108038e-16],
        [-7.5, -0.004145839776926996, -0.0035907694083426034, -0.0030340209701809027],
        // Where it is least.
        [-1.278464542761074, -0.2784645427610738, -4.462758005907705e-17, 0.21781170571980005],
        [-0.5, -0.18877033439907273, 0.2600388126973482, 0.4412290269770286],
        [0.0, 0.0, 0.5, 0.5],
        [0.5, 0.3112296656009273, 0.7399611873026518, 0.4412290269770286],
        [1.0, 0.7310585786300049, 0.9276705118714867, 0.3023661188100153],
        [3.25, 3.1286876161315793, 1.079457282838187, -0.03619860940371422],
        [40.0, 40.0, 1.0000000000000002, -1.6143746170108038e-16],
    ];

    /// Some roundings of the logistic function at `x`, or of what is expected.
    fn near(x: f64, found: f64, expected: f64) -> bool {
        let scale = (1.0 + (-x).exp()).recip().max(expected.abs());
        (found - expected).abs() <= 8.0 * f64::EPSILON * scale
    }

    #[test]
    fn swish_has_the_values_of_its_definition() {
        for [x, value, slope, _] in SWISH {
            let found = [Function::Swish.value(x), Function::Swish.slope(x)];
            assert!(near(x, found[0], value) && near(x, found[1], slope), "at {x}: {found:?}");
        }
    }

    #[cfg(feature = "dual")]
    #[test]
    fn derivatives_come_along() {
        use num_dual::Dual64;
        for [x, value, slope, curvature] in SWISH {
            let dual = Dual64::new(x, 1.0);
            let (y, d) = (Function::Swish.value(dual), Function::Swish.slope(dual));
            let found = [y.re, y.eps, d.re, d.eps];
            let expected = [value, slope, slope, curvature];
            assert!(found.iter().zip(expected).all(|(a, b)| near(x, *a, b)), "at {x}: {found:?}");
        }
        for x in [-1e300, -1000.0, 1000.0, 1e300] {
            let x = Dual64::new(x, 1.0);
            let d = Function::Swish.slope(x);
            assert_eq!([d.re.abs(), d.eps], [f64::from(u8::from(x.re > 0.0)), 0.0], "at {x}");
        }
    }
}
