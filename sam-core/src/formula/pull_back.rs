//! The derivative of `eps-hat`, transposed.

use super::norm::DualNorm;
use super::range::power_of_quotient;
use crate::formula::Ascent;
use crate::{Norm, Real, Rule, Verdict};

/// Splits `(d eps / dw)^T h` into what needs no Hessian, added to `h`, and the vector `v` that the Hessian at
/// `w` has still to be multiplied by; `false` if `v` is zero.
///
/// With `X = T g`, `u = |X| / scale`, `z = T h`, and eq. 2 as `eps = T f(X)`, the Jacobian of `f` is
/// symmetric and
///
/// ```text
/// y_i = (df/dX z)_i = (q-1) rho / (scale (sum u^q)^(1/p)) * (u_i^(q-2) z_i - s_i u_i^(q-1) (sum_j s_j u_j^(q-1) z_j) / sum u^q)
/// v   = T y                              and, for ASAM, T depends on w too:
/// h_i = h_i + sign(w_i) (f_i h_i + g_i y_i)
/// ```
///
/// Where products leave the range of `f64`, `T` is taken times a power of two, which goes into `y`. Sums are `f64`, first to last. Three reads and two writes an entry, and two powers where `p` is not 2.
pub fn pull_back<R: Real>(
    rule: &Rule<R>,
    norm: &DualNorm,
    w: &[R],
    g: &[R],
    h: &mut [R],
    v: &mut [R],
) -> bool {
    let ascent = Ascent::new(rule, norm);
    let q = match rule.norm {
        // The largest entry stays the largest under a small change: df/dX = 0, like for the sign.
        #[cfg(feature = "norms")]
        Norm::L1 | Norm::LInf => 1.0,
        Norm::L2 => 2.0,
        #[cfg(feature = "norms")]
        Norm::Lp { q, .. } => q,
    };
    let moves = rule.rho != R::ZERO && norm.verdict() == Verdict::Finite;
    if !moves || (q == 1.0 && rule.eta().is_none()) {
        return false;
    }
    let t = |w: R| rule.eta().map_or(1.0, |eta| w.abs().widen() + eta.widen());
    let (unit, shift) = (norm.range.unit(), norm.range.shift());
    // u^e, with u^0 = 1 and without the poles at u = 0.
    let power = |w: R, g: R, e: f64| {
        let u = norm.range.product(t(w), g.abs().widen()) / norm.scale;
        match e {
            0.0 => 1.0,
            1.0 => u,
            _ if u == 0.0 && e < 0.0 => 0.0,
            _ => power_of_quotient::<R>(t(w), g.abs().widen(), norm.scale, shift, e),
        }
    };
    let sum = libm::pow(norm.scaled, q);
    let factor = (q - 1.0) * rule.rho.widen() / (norm.scale * norm.divisor);
    let mut along = 0.0;
    for ((w, g), h) in w.iter().zip(g).zip(h.iter()) {
        along += g.sign().widen() * power(*w, *g, q - 1.0) * (t(*w) * unit * h.widen());
    }
    let along = along / sum;
    for (i, ((w, g), (h, v))) in w.iter().zip(g).zip(h.iter_mut().zip(v)).enumerate() {
        let t = t(*w);
        let y = if q == 1.0 {
            0.0
        } else {
            factor
                * (power(*w, *g, q - 2.0) * (t * unit * h.widen())
                    - g.sign().widen() * power(*w, *g, q - 1.0) * along)
        };
        *v = R::narrow(t * unit * y);
        if rule.eta().is_some() && t != 0.0 {
            let f = ascent.eps(i, *w, *g).widen() / t;
            *h = R::narrow(h.widen() + w.sign().widen() * (f * h.widen() + g.widen() * unit * y));
        }
    }
    q != 1.0
}
