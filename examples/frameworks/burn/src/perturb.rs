//! The perturbation of a module, on the device.

use burn::module::{ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use sam_core::{Norm, Rule};

use crate::norm::{DeviceNorm, positions, scale, spread};

/// Replaces every parameter with a gradient by `w + eps-hat` (eq. 2), or by itself where there is nothing to perturb
/// along.
pub(crate) struct Perturb<'a> {
    pub grads: &'a GradientsParams,
    pub rule: &'a Rule<f64>,
    pub norm: &'a DeviceNorm,
    /// Entries of the parameters before.
    pub before: i64,
}

impl ModuleMapper for Perturb<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.grads.get::<D>(param.id) {
            None => param,
            Some(g) => param.map(|w| {
                let up = w.clone() + self.eps(w.clone(), g);
                // What is not finite must not even be multiplied by zero.
                let live = self.norm.live.clone().reshape([1; D]).expand(w.shape());
                w.mask_where(live, up)
            }),
        }
    }
}

impl Perturb<'_> {
    /// `rho t sign(g) (x / peak)^(q-1) / divisor` with `x = t |g|`.
    fn eps<const D: usize>(&mut self, w: Tensor<D>, g: Tensor<D>) -> Tensor<D> {
        let t = scale(w, self.rule.adaptive);
        let times_t = |x: Tensor<D>| match &t {
            Some(t) => x * t.clone(),
            None => x,
        };
        let (peak, divisor) = (spread::<D>(&self.norm.peak), spread::<D>(&self.norm.divisor));
        let direction = match self.rule.norm {
            Norm::L2 => times_t(g) / peak / divisor,
            Norm::LInf => g.sign(),
            Norm::L1 => {
                let positions = positions(self.before, &g);
                self.before += g.shape().num_elements() as i64;
                match &self.norm.first {
                    None => g.zeros_like(),
                    Some(first) => {
                        let others = positions.not_equal(first.clone().reshape([1; D]).expand(g.shape()));
                        g.sign().mask_fill(others, 0.0)
                    }
                }
            }
            other => {
                let u = times_t(g.clone().abs()) / peak;
                g.sign() * u.powf_scalar(other.q() - 1.0) / divisor
            }
        };
        times_t(direction).mul_scalar(self.rule.rho)
    }
}
