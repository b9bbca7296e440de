//! Functions of one value and how a gradient passes them, so that a sweep over many values runs in vectors.

use crate::{Number, Wide};

/// A function of one value.
pub trait Curve {
    fn value<T: Number>(x: T) -> T;
    /// The gradient of the input, given that of the value: that times the function's derivative.
    fn gradient<T: Number>(g: T, x: T) -> T;
}

/// `x s(x)`, `s` being the logistic function (Ramachandran et al. 2017).
pub struct Swish;
/// The logistic function.
pub struct Sigmoid;
/// `min(max(x, 0), 6)`.
pub struct Relu6;

impl Curve for Swish {
    #[inline(always)]
    fn value<T: Number>(x: T) -> T {
        T::narrow(x.wide() * logistic(x.wide()))
    }

    #[inline(always)]
    fn gradient<T: Number>(g: T, x: T) -> T {
        T::narrow(g.wide() * swish_slope(x.wide()))
    }
}

impl Curve for Sigmoid {
    #[inline(always)]
    fn value<T: Number>(x: T) -> T {
        T::narrow(logistic(x.wide()))
    }

    #[inline(always)]
    fn gradient<T: Number>(g: T, x: T) -> T {
        // `1 - s(x)` is `s(-x)`, which keeps its digits.
        T::narrow(g.wide() * (logistic(x.wide()) * logistic(-x.wide())))
    }
}

impl Curve for Relu6 {
    /// A NaN, which has no order, stays one.
    #[inline(always)]
    fn value<T: Number>(x: T) -> T {
        let six = T::of(6.0);
        let above = if x >= six { six } else { x };
        if x <= T::zero() { T::zero() } else { above }
    }

    /// Where the value is constant, so is a derivative that comes along.
    #[inline(always)]
    fn gradient<T: Number>(g: T, x: T) -> T {
        if x <= T::zero() || x >= T::of(6.0) { T::zero() } else { g }
    }
}

#[inline(always)]
fn swish_slope<W: Wide>(x: W) -> W {
    let s = logistic(x);
    s * (x * (-s + 1.0) + 1.0)
}

/// `1 / (1 + e^-x)`. The power is at most 1: where it overflowed, a derivative that comes along would be NaN.
#[inline(always)]
fn logistic<W: Wide>(x: W) -> W {
    let power = if x.value() >= 0.0 { -x } else { x }.exp_of_negative();
    let share = (power + 1.0).recip();
    if x.value() >= 0.0 { share } else { power * share }
}

#[cfg(test)]
mod tests {
    use super::{Curve, Swish, swish_slope};

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
            let found = [Swish::value(x), swish_slope(x)];
            assert!(near(x, found[0], value) && near(x, found[1], slope), "at {x}: {found:?}");
        }
    }

    #[cfg(feature = "dual")]
    #[test]
    fn derivatives_come_along() {
        use num_dual::Dual64;
        for [x, value, slope, curvature] in SWISH {
            let dual = Dual64::new(x, 1.0);
            let (y, d) = (Swish::value(dual), swish_slope(dual));
            let found = [y.re, y.eps, d.re, d.eps];
            let expected = [value, slope, slope, curvature];
            assert!(found.iter().zip(expected).all(|(a, b)| near(x, *a, b)), "at {x}: {found:?}");
        }
        for x in [-1e300, -1000.0, 1000.0, 1e300] {
            let x = Dual64::new(x, 1.0);
            let d = swish_slope(x);
            assert_eq!([d.re.abs(), d.eps], [f64::from(u8::from(x.re > 0.0)), 0.0], "at {x}");
        }
    }
}
