//! The norm of a whole gradient, measured on the device.

#![allow(unsafe_code, reason = "launches of kernels")]

use std::sync::Arc;

use sam_core::Rule;

use super::DeviceNorm;
use crate::{
    CudaError, Device, DeviceVec, Grid, Ptr, PtrMut, Slice,
    kernels::{
        DeviceRule, NormParts, Partial,
        rule::reductions,
        sweep::{CHUNK, THREADS},
    },
};

/// A rule and the latest norm by it, both on the device, with the memory that the sweeps of the norm take.
#[derive(Debug)]
pub(crate) struct Measure {
    rule: DeviceVec<DeviceRule>,
    /// The rule that is on the device.
    known: Option<DeviceRule>,
    norm: Arc<DeviceVec<NormParts>>,
    partials: DeviceVec<Partial>,
}

impl Measure {
    /// For gradients of `len` entries.
    pub fn new(device: &Device, len: usize) -> Result<Self, CudaError> {
        Ok(Self {
            rule: DeviceVec::zeros(device, 1)?,
            known: None,
            norm: Arc::new(DeviceVec::zeros(device, 1)?),
            partials: DeviceVec::zeros(device, len.div_ceil(CHUNK as usize).max(1))?,
        })
    }

    /// Brings the radius of `rule` to the device, if it is not there.
    pub fn prepare(&mut self, rule: &Rule<f32>) -> Result<(), CudaError> {
        let rule = DeviceRule::new(rule);
        if self.known != Some(rule) {
            self.rule.store(&rule)?;
            self.known = Some(rule);
        }
        Ok(())
    }

    /// Has the norm of `g` by `rule` measured; waits for nothing. `finite` is told whether the gradient is, unless null.
    /// The caller has made sure that both are as long as the measure is for.
    pub fn launch(
        &mut self,
        w: &Slice<'_, f32>,
        g: &Slice<'_, f32>,
        rule: &Rule<f32>,
        finite: PtrMut<u32>,
    ) -> Result<DeviceNorm, CudaError> {
        self.prepare(rule)?;
        let n = g.len() as u32;
        let (p, q) = (rule.norm.p(), rule.norm.q());
        let adaptive = i32::from(rule.adaptive.is_some());
        let chunks = n.div_ceil(CHUNK);
        let device = self.rule.device();
        let kernels = device.kernels();
        let (rule_at, norm, partials) = (self.rule(), self.parts(), self.partials.shared_ptr());
        for &reduction in reductions(&rule.norm) {
            let reduction = reduction as i32;
            let sweep = (w.ptr(), g.ptr(), n, rule_at, adaptive, reduction, q, norm.reading(), partials);
            // SAFETY: w and g have n entries, partials as many as there are chunks; only partials are written.
            unsafe { device.launch(&kernels.norm_sweep, Grid::new([chunks, 1, 1], THREADS), sweep)? };
            let finish = (partials.reading(), chunks, rule_at, adaptive, reduction, p, q, norm, finite);
            // SAFETY: as above; the norm and the flag are single values that nothing on the host refers to.
            unsafe { device.launch(&kernels.norm_finish, Grid::new([1, 1, 1], THREADS), finish)? };
        }
        Ok(self.norm())
    }

    pub fn device(&self) -> &Device {
        self.rule.device()
    }

    /// Where the rule is.
    pub fn rule(&self) -> Ptr<DeviceRule> {
        self.rule.view().ptr()
    }

    /// Where the norm is.
    pub fn parts(&self) -> PtrMut<NormParts> {
        self.norm.shared_ptr()
    }

    /// The norm, which the next measurement overwrites.
    pub fn norm(&self) -> DeviceNorm {
        DeviceNorm::new(Arc::clone(&self.norm))
    }
}

#[cfg(test)]
mod tests {
    use sam_core::Norm;

    use super::*;
    use crate::testing;

    /// A norm has the same bits wherever its gradient begins, and so wherever sixteen bytes can be read at once and where not.
    #[test]
    fn norms_do_not_depend_on_where_a_gradient_begins() {
        let Some(device) = testing::device() else { return };
        let n = 2 * CHUNK as usize + 1_003;
        let value = |i: usize| ((i * 7_919 % 10_007) as f32 - 5_000.0) * 1e-3;
        let gradient: Vec<f32> = (0..n).map(value).collect();
        for norm in [Norm::L1, Norm::L2, Norm::LInf, Norm::from_p(3.0).unwrap()] {
            for rule in [Rule::new(0.1, norm), Rule::new(0.1, norm).adaptive(0.01)] {
                let found = [0, 1, 2, 3].map(|offset| {
                    let padded = vec![3.0f32; offset].into_iter().chain(gradient.iter().copied());
                    let g = DeviceVec::from_slice(&device, &padded.collect::<Vec<_>>()).unwrap();
                    let w = DeviceVec::from_slice(&device, &vec![0.5f32; n + offset]).unwrap();
                    let mut measure = Measure::new(&device, n).unwrap();
                    let (w, g) = (w.view().range(offset..n + offset), g.view().range(offset..n + offset));
                    let norm = measure.launch(&w, &g, &rule, PtrMut::NULL).unwrap();
                    norm.value().unwrap().to_bits()
                });
                assert!(found.iter().all(|bits| *bits == found[0]), "{rule:?}: {found:x?}");
            }
        }
    }
}
