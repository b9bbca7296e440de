//! The dual norm of a module's gradient, on the device.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Bool, Int, Tensor};
use sam_core::{Norm, Rule};

/// The dual norm `||T g||_q` and what else the perturbation needs: tensors of one value that nobody has waited for.
///
/// Every `x = t |g|` is divided by the largest one first, so that no power over- or underflows: the norm is
/// `peak * scaled`.
#[derive(Clone, Debug)]
pub struct DeviceNorm {
    /// The largest `x`; 1 where there is nothing to perturb along, so that it can be divided by.
    pub(crate) peak: Tensor<1>,
    scaled: Tensor<1>,
    /// `(sum (x / peak)^q)^(1/p)`, what eq. 2 divides by.
    pub(crate) divisor: Tensor<1>,
    /// For `p = 1` the position of the first largest `x` in the whole parameter vector.
    pub(crate) first: Option<Tensor<1, Int>>,
    /// The gradient is finite and not zero.
    pub(crate) live: Tensor<1, Bool>,
    pub(crate) finite: Tensor<1, Bool>,
}

impl DeviceNorm {
    /// The norm as a number: infinite if an entry of the gradient is infinite or NaN. Waits for the device.
    #[must_use]
    pub fn value(&self) -> f64 {
        let number = |tensor: &Tensor<1>| tensor.clone().into_scalar::<f64>();
        if !self.finite.clone().into_scalar::<bool>() {
            f64::INFINITY
        } else if !self.live.clone().into_scalar::<bool>() {
            0.0
        } else {
            number(&self.peak) * number(&self.scaled)
        }
    }

    /// `None` for a module without any gradient.
    pub(crate) fn of<M: Module>(module: &M, grads: &GradientsParams, rule: &Rule<f64>) -> Option<Self> {
        let mut peak = Peak { grads, eta: rule.adaptive, found: None };
        module.visit(&mut peak);
        let (peak, finite) = peak.found?;
        let live = finite.clone().bool_and(peak.clone().greater_scalar(0.0));
        let peak = peak.mask_fill(live.clone().bool_not(), 1.0);
        let norm =
            Self { scaled: peak.ones_like(), divisor: peak.ones_like(), first: None, peak, live, finite };
        let (q, root) = match rule.norm {
            Norm::L1 => {
                let mut first = First { grads, eta: rule.adaptive, peak: &norm.peak, before: 0, found: None };
                module.visit(&mut first);
                return Some(Self { first: first.found, ..norm });
            }
            Norm::LInf => (1.0, 1.0),
            Norm::L2 => (2.0, 0.5),
            other => (other.q(), 1.0 / other.q()),
        };
        let mut powers = Powers { grads, eta: rule.adaptive, peak: &norm.peak, q, sum: None };
        module.visit(&mut powers);
        let sum = powers.sum?;
        let divisor = match rule.norm {
            Norm::LInf => norm.divisor,
            Norm::L2 => sum.clone().sqrt(),
            _ => sum.clone().powf_scalar(1.0 / rule.norm.p()),
        };
        let scaled = if q == 2.0 { divisor.clone() } else { sum.powf_scalar(root) };
        Some(Self { scaled, divisor, ..norm })
    }
}

/// A scalar in a shape that operations on tensors broadcast.
pub(crate) fn spread<const D: usize>(scalar: &Tensor<1>) -> Tensor<D> {
    scalar.clone().reshape([1; D])
}

/// What a coordinate's ball is scaled by, `t = |w| + eta`; `None` for 1.
pub(crate) fn scale<const D: usize>(w: Tensor<D>, eta: Option<f64>) -> Option<Tensor<D>> {
    eta.map(|eta| w.abs().add_scalar(eta))
}

/// `x = t |g|` of one parameter, if it has a gradient.
fn entries<const D: usize>(
    grads: &GradientsParams,
    param: &Param<Tensor<D>>,
    eta: Option<f64>,
) -> Option<Tensor<D>> {
    let g = grads.get::<D>(param.id)?.abs();
    Some(match scale(param.val().without_autodiff(), eta) {
        Some(t) => g * t,
        None => g,
    })
}

/// The largest entry, and whether all are finite.
struct Peak<'a> {
    grads: &'a GradientsParams,
    eta: Option<f64>,
    found: Option<(Tensor<1>, Tensor<1, Bool>)>,
}

impl ModuleVisitor for Peak<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(x) = entries(self.grads, param, self.eta) {
            let (peak, finite) = (x.clone().max(), x.is_finite().all());
            self.found = Some(match self.found.take() {
                None => (peak, finite),
                Some((before, were)) => (before.max_pair(peak), were.bool_and(finite)),
            });
        }
    }
}

/// `sum (x / peak)^q`.
struct Powers<'a> {
    grads: &'a GradientsParams,
    eta: Option<f64>,
    peak: &'a Tensor<1>,
    q: f64,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for Powers<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(x) = entries(self.grads, param, self.eta) {
            let u = x / spread(self.peak);
            let powers = if self.q == 1.0 {
                u
            } else if self.q == 2.0 {
                u.square()
            } else {
                u.powf_scalar(self.q)
            };
            let sum = powers.sum();
            self.sum = Some(match self.sum.take() {
                None => sum,
                Some(before) => before + sum,
            });
        }
    }
}

/// The position of the first entry that is the largest.
struct First<'a> {
    grads: &'a GradientsParams,
    eta: Option<f64>,
    peak: &'a Tensor<1>,
    /// Entries of the parameters before.
    before: i64,
    found: Option<Tensor<1, Int>>,
}

impl ModuleVisitor for First<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(x) = entries(self.grads, param, self.eta) {
            let positions = positions(self.before, &x);
            self.before += x.shape().num_elements() as i64;
            let others = x.not_equal(spread::<D>(self.peak).expand(positions.shape()));
            let first = positions.mask_fill(others, i64::from(i32::MAX)).min();
            self.found = Some(match self.found.take() {
                None => first,
                Some(before) => before.min_pair(first),
            });
        }
    }
}

/// Where each entry of a tensor is in the whole parameter vector.
pub(crate) fn positions<const D: usize>(before: i64, like: &Tensor<D>) -> Tensor<D, Int> {
    let end = before + like.shape().num_elements() as i64;
    Tensor::<1, Int>::arange(before..end, &like.device()).reshape(like.shape())
}
