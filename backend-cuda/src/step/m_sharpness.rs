//! m-sharpness.

#![allow(unsafe_code, reason = "launches of kernels")]

use core::ops::Range;

use sam_core::{Outcome, Pass, Rule, Sink, Source, Step, StepError, Verdict};

use super::{DeviceDescent, DeviceOracle, DeviceStep, DeviceStepResult, sealed::Sealed};
use crate::{CudaError, Device, DeviceSpace, DeviceVec, Gradient, Grid, Ptr};

/// m-sharpness (section 4.1 of SAM's paper): groups of `m` samples climb each by itself, and the base optimizer steps along the mean of
/// their gradients. On the device what [`sam_core::Plain`] over [`sam_core::MicroBatches`] of [`sam_core::SamGradient`] is on the
/// host, with the same order of operations; nothing waits, and a step can be recorded.
///
/// The step's loss is the batch's at the weights, and there is no norm: each group has one of its own. Cost: two gradients of each
/// group. Memory: two words a weight. Traffic: 2 reads and 1 write a weight and group more than SAM's.
#[derive(Debug)]
pub struct CudaMSharpness<S, D> {
    /// The storage of the parameters.
    pub space: S,
    /// Radius and norm.
    pub rule: Rule<f32>,
    /// The base optimizer.
    pub base: D,
    /// Samples of a group; the last one may be smaller.
    m: usize,
    sum: DeviceVec<f32>,
}

impl<S, D> CudaMSharpness<S, D> {
    /// Groups of `m` samples (0 counts as 1), for `len` parameters.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn new(
        device: &Device,
        space: S,
        rule: Rule<f32>,
        m: usize,
        base: D,
        len: usize,
    ) -> Result<Self, CudaError> {
        Ok(Self { space, rule, base, m: m.max(1), sum: DeviceVec::zeros(device, len)? })
    }

    /// The groups of a batch.
    fn groups(&self, samples: usize) -> impl Iterator<Item = Range<usize>> + use<S, D> {
        let m = self.m;
        (0..samples).step_by(m).map(move |start| start..(start + m).min(samples))
    }

    /// Adds `share` times the SAM gradient in `g`, which is of the samples in `group` of all, to the sum of those before; in the end the
    /// sum is in `g`.
    fn accumulate(
        &mut self,
        group: &Range<usize>,
        samples: usize,
        g: &mut Gradient,
    ) -> Result<(), CudaError> {
        CudaError::check_length("gradient", self.sum.len(), g.len())?;
        let (n, device) = (g.len() as u32, self.sum.device().clone());
        g.values().check_device("gradient", &device)?;
        let share = (group.len() as f64 / samples as f64) as f32;
        let sum = if group.start == 0 { Ptr::NULL } else { self.sum.view().ptr() };
        let (mut values, finite) = g.parts();
        let to = if group.end == samples { values.ptr() } else { self.sum.view_mut().ptr() };
        let arguments = (sum, values.as_ptr(), n, share, finite.ptr(), to);
        // SAFETY: sum and gradient have n entries, and the kernel is made to write over either; the flag is a single value.
        unsafe { device.launch(&device.kernels().accumulate, Grid::vectors(n, size_of::<f32>()), arguments) }
    }
}

impl<S, D> Sealed for CudaMSharpness<S, D> {}

impl<S: DeviceSpace, D: DeviceDescent> DeviceStep for CudaMSharpness<S, D> {
    steps_with_rule!();

    fn launch(
        &mut self,
        w: &mut DeviceVec<f32>,
        g: &mut Gradient,
        oracle: &mut DeviceOracle<'_>,
    ) -> DeviceStepResult {
        self.rule.check_settings().map_err(StepError::Setting)?;
        self.base.check_settings().map_err(StepError::Setting)?;
        let samples = oracle.samples();
        let shared = oracle.shared().map(|batch| batch.groups());
        let is_shared = shared.is_some();
        for group in shared.unwrap_or_else(|| self.groups(samples).collect()) {
            let added = |error| StepError::Oracle(error, Pass::Perturbed);
            if group.is_empty() {
                oracle.shared().map_or(Ok(()), |batch| batch.add(group, g)).map_err(added)?;
                continue;
            }
            let failed = |pass| move |error| StepError::Oracle(error, pass);
            oracle.gradient_of(group.clone(), w, g, Pass::Clean).map_err(failed(Pass::Clean))?;
            let norm = self.space.dual_norm(w, g, &self.rule).map_err(StepError::Space)?;
            self.space.ascend(w, g, &self.rule, &norm).map_err(StepError::Space)?;
            let gradient = oracle.gradient_of(group.clone(), self.space.perturbed(w), g, Pass::Perturbed);
            self.space.restore(w).map_err(StepError::Space)?;
            self.space.whole().go_on();
            gradient.map_err(failed(Pass::Perturbed))?;
            if let Some(batch) = oracle.shared() {
                batch.add(group, g).map_err(added)?;
            } else if group.len() < samples {
                self.accumulate(&group, samples, g).map_err(StepError::Space)?;
            }
        }
        if is_shared {
            let mean = oracle.shared().map_or(Ok(()), |batch| batch.mean(g));
            mean.map_err(|error| StepError::Oracle(error, Pass::Perturbed))?;
        }
        let clean =
            oracle.loss_of_parts(Pass::Clean).map_err(|error| StepError::Oracle(error, Pass::Clean))?;
        let outcome = match self.space.check(g).map_err(StepError::Space)? {
            Verdict::NonFinite => Outcome::NonFinite(Pass::Clean),
            Verdict::Unknown => Outcome::Deferred,
            _ => Outcome::Descended,
        };
        if outcome.steps() {
            self.base.descend(w, g).map_err(StepError::Descent)?;
        }
        Ok(Step::new(clean, None, None, outcome))
    }

    fn is_recordable(&self) -> bool {
        !self.space.waits()
    }

    fn save(&mut self, sink: &mut Sink<'_, f32>) -> Result<(), CudaError> {
        self.base.save(sink)
    }

    fn load(&mut self, source: &mut Source<'_, f32>) -> Result<(), CudaError> {
        self.base.load(source)
    }
}
