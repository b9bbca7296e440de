//! The mathematics once more, in the plainest loops there are, sharing nothing with the rest of the crate.

use std::vec::Vec;

/// One weight's update: the weight, its gradient, two words of memory, the step from 1 on.
pub type Update = fn(&mut f64, f64, &mut [f64; 2], i32);

/// Dual norm of `T g` and `eps-hat` for the given `p`; `eta` makes `T = |w| + eta`. Zeros for a zero or
/// non-finite norm.
pub fn eps_hat(p: f64, eta: Option<f64>, rho: f64, w: &[f64], g: &[f64]) -> (f64, Vec<f64>) {
    let t: Vec<f64> = w.iter().map(|w| eta.map_or(1.0, |eta| w.abs() + eta)).collect();
    let x: Vec<f64> = g.iter().zip(&t).map(|(g, t)| t * g.abs()).collect();
    let zeros = || w.iter().map(|_| 0.0).collect();
    if x.iter().any(|x| !x.is_finite()) {
        return (f64::INFINITY, zeros());
    }
    let peak = x.iter().fold(0.0, |m: f64, x| m.max(*x));
    if peak == 0.0 {
        return (0.0, zeros());
    }
    let sign = |g: f64| {
        if g > 0.0 {
            1.0
        } else if g < 0.0 {
            -1.0
        } else {
            0.0
        }
    };
    let first = x.iter().position(|x| *x == peak);
    let q = if p == 1.0 {
        f64::INFINITY
    } else if p == f64::INFINITY {
        1.0
    } else {
        p / (p - 1.0)
    };
    let sum: f64 = x.iter().map(|x| (x / peak).powf(q)).sum();
    let size = |i: usize, x: f64| match p {
        1.0 => f64::from(u8::from(Some(i) == first)),
        f64::INFINITY => 1.0,
        _ => (x / peak).powf(q - 1.0) / sum.powf(1.0 / p),
    };
    let eps = (0..w.len()).map(|i| rho * t[i] * sign(g[i]) * size(i, x[i])).collect();
    (if p == 1.0 { peak } else { peak * sum.powf(1.0 / q) }, eps)
}

/// SGD with rate 0.05, momentum 0.9, coupled decay 0.01.
pub fn sgd(w: &mut f64, g: f64, [m, _]: &mut [f64; 2], _: i32) {
    *m = 0.9 * *m + (g + 0.01 * *w);
    *w -= 0.05 * *m;
}

/// AdamW with rate 0.05, betas 0.9 and 0.999, epsilon 1e-8, decoupled decay 0.01.
pub fn adam(w: &mut f64, g: f64, [m, v]: &mut [f64; 2], t: i32) {
    *w *= 1.0 - 0.05 * 0.01;
    *m = 0.9 * *m + 0.1 * g;
    *v = 0.999 * *v + 0.001 * g * g;
    *w -= 0.05 * (*m / (1.0 - 0.9f64.powi(t))) / ((*v / (1.0 - 0.999f64.powi(t))).sqrt() + 1e-8);
}

/// RMSProp with rate 0.05, alpha 0.9, momentum 0.9, epsilon 1e-8.
pub fn rmsprop(w: &mut f64, g: f64, [v, m]: &mut [f64; 2], _: i32) {
    *v = 0.9 * *v + 0.1 * g * g;
    *m = 0.9 * *m + g / (v.sqrt() + 1e-8);
    *w -= 0.05 * *m;
}

/// Lion with rate 0.05, betas 0.9 and 0.99, decay 0.01.
pub fn lion(w: &mut f64, g: f64, [m, _]: &mut [f64; 2], _: i32) {
    let direction = 0.9 * *m + 0.1 * g;
    *w = *w * (1.0 - 0.05 * 0.01) - 0.05 * if direction == 0.0 { 0.0 } else { direction.signum() };
    *m = 0.99 * *m + 0.01 * g;
}
