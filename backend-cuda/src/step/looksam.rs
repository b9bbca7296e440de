//! LookSAM.

use core::{borrow::Borrow, convert::Infallible};

use sam_core::{
    AlongGradient, Combination, Descent, GradientOracle, InvalidSetting, Outcome, Pass, Rule, Sink, Source,
    Step, StepError, StepResult, Values, ValuesMut, Variant, Verdict,
};

use super::{
    DeviceDescent, DeviceOracle, DeviceStep, DeviceStepResult, GradientBuffer, report, sealed::Sealed,
};
use crate::{CudaError, Device, DeviceSpace, DeviceVec, Gradient, space::Quotient};

/// [`sam_core::LookSam`] on the device, with its formulas, order of operations and state: projection and ratio stay there, and what
/// is kept of a SAM step is taken over by a kernel that reads whether its gradients were finite. Nothing waits, and steps of both kinds
/// can be recorded.
///
/// The host counts the steps from one SAM step to the next, and counts those that come to nothing too, unless it is told:
/// [`CudaLookSam::take_back`], which [`StepGraph::settle`](crate::StepGraph::settle) calls. Memory: two words a weight.
#[derive(Debug)]
pub struct CudaLookSam<S: DeviceSpace, D> {
    /// What the SAM steps are made by.
    sam: Variant<S, AlongGradient, Reuse, D>,
    k: u64,
    /// Steps since the last SAM step, 0 if the next one is it.
    since: u64,
}

/// What is kept of a SAM step: the part of the perturbed gradient that is orthogonal to the clean one.
#[derive(Debug)]
struct Reuse {
    /// Share of the gradient's length that the kept part gets.
    alpha: f32,
    /// Whether anything is kept: not if all steps are SAM steps.
    keeps: bool,
    sharpness: GradientBuffer,
    /// The clean gradient, then the next `sharpness` if the step goes through.
    next: Gradient,
}

impl<S: DeviceSpace, D> CudaLookSam<S, D> {
    /// A SAM step every `k` steps, from the first on (0 counts as 1); those between add the kept part at a share `alpha` of the
    /// gradient's length. For `len` parameters.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn new(
        device: &Device,
        space: S,
        rule: Rule<f32>,
        (k, alpha): (u64, f32),
        base: D,
        len: usize,
    ) -> Result<Self, CudaError> {
        let (sharpness, next) = (GradientBuffer::zeros(device, len)?, Gradient::zeros(device, len)?);
        let reuse = Reuse { alpha, keeps: k > 1, sharpness, next };
        Ok(Self { sam: Variant::new(space, rule, AlongGradient, reuse, base), k: k.max(1), since: 0 })
    }

    /// Whether the next step takes a second gradient.
    #[must_use]
    pub const fn is_due(&self) -> bool {
        self.since == 0
    }

    /// The latest step came to nothing: it counts no more.
    pub const fn take_back(&mut self) {
        self.since = if self.since == 0 { self.k - 1 } else { self.since - 1 };
    }
}

impl<S: DeviceSpace, D: Descent<DeviceVec<f32>, Gradient>> CudaLookSam<S, D> {
    /// One step from the parameters `w`; `g` is scratch space for the gradients. [`Step::perturbed`] tells whether it took a second
    /// gradient.
    ///
    /// # Errors
    /// [`StepError`] says who failed. `w` and all state are then as before the step.
    pub fn step<O>(
        &mut self,
        w: &mut DeviceVec<f32>,
        g: &mut Gradient,
        oracle: &mut O,
    ) -> StepResult<S, O::Loss, O::Error, D::Error>
    where
        O: GradientOracle<DeviceVec<f32>, Gradient> + ?Sized,
    {
        let step = self.uncounted(w, g, oracle)?;
        if step.outcome.steps() {
            self.count();
        }
        Ok(step)
    }

    const fn count(&mut self) {
        self.since = if self.since + 1 >= self.k { 0 } else { self.since + 1 };
    }

    fn uncounted<O>(
        &mut self,
        w: &mut DeviceVec<f32>,
        g: &mut Gradient,
        oracle: &mut O,
    ) -> StepResult<S, O::Loss, O::Error, D::Error>
    where
        O: GradientOracle<DeviceVec<f32>, Gradient> + ?Sized,
    {
        if self.is_due() { self.sam.step(w, g, oracle) } else { self.between(w, g, oracle) }
    }

    /// A step along the clean gradient with the kept part added.
    fn between<O>(
        &mut self,
        w: &mut DeviceVec<f32>,
        g: &mut Gradient,
        oracle: &mut O,
    ) -> StepResult<S, O::Loss, O::Error, D::Error>
    where
        O: GradientOracle<DeviceVec<f32>, Gradient> + ?Sized,
    {
        self.sam.check_settings().map_err(StepError::Setting)?;
        let Variant { space, rule, combination: reuse, base, .. } = &mut self.sam;
        let (clean, norm) = space.clean_gradient(w, g, rule, oracle).map_err(StepError::with_descent)?;
        let verdict = space.verdict(&norm);
        if verdict == Verdict::NonFinite {
            return Ok(Step::new(clean, None, norm, Outcome::NonFinite(Pass::Clean)));
        }
        reuse.add(space, g).map_err(StepError::Space)?;
        let outcome = match (verdict, space.check(g).map_err(StepError::Space)?) {
            (_, Verdict::NonFinite) => Outcome::NonFinite(Pass::Clean),
            (_, Verdict::Unknown) => Outcome::Deferred,
            (Verdict::Zero, _) => Outcome::ZeroGradient,
            _ => Outcome::Descended,
        };
        if outcome.steps() {
            base.descend(w, g).map_err(StepError::Descent)?;
        }
        Ok(Step::new(clean, None, norm, outcome))
    }
}

impl Reuse {
    /// `g + alpha * (||g|| / ||v||) v`.
    fn add(&self, space: &mut impl DeviceSpace, g: &mut Gradient) -> Result<(), CudaError> {
        let (space, sharpness): (_, &Gradient) = (space.whole(), self.sharpness.borrow());
        space.measure_quotients(g, sharpness)?;
        space.mix_along(Quotient::Ratio, ([0.0, self.alpha], sharpness), ([1.0, 0.0], g))
    }
}

impl<S: DeviceSpace, D: Descent<DeviceVec<f32>, Gradient>> Combination<S, D> for Reuse {
    fn keep(&mut self, space: &mut S, clean: &Gradient) -> Result<(), CudaError> {
        if self.keeps { space.copy(clean, &mut self.next) } else { Ok(()) }
    }

    fn combine(&mut self, space: &mut S, _: &mut Gradient) -> Result<(), CudaError> {
        space.whole().go_on();
        Ok(())
    }

    fn descend(
        &mut self,
        space: &mut S,
        base: &mut D,
        w: &mut DeviceVec<f32>,
        g: &mut Gradient,
    ) -> Result<(), StepError<CudaError, Infallible, D::Error>> {
        if self.keeps {
            let space = space.whole();
            space.measure_quotients(g, &self.next).map_err(StepError::Space)?;
            let (own, clean) = (([1.0, 0.0], &*g), ([0.0, -1.0], &mut self.next));
            space.mix_along(Quotient::Projection, own, clean).map_err(StepError::Space)?;
            self.sharpness.keep(&self.next, g.flag(), None).map_err(StepError::Space)?;
        }
        base.descend(w, g).map_err(StepError::Descent)
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::non_negative("alpha", self.alpha)
    }
}

impl<S: DeviceSpace, D> Sealed for CudaLookSam<S, D> {}

impl<S: DeviceSpace, D: DeviceDescent> DeviceStep for CudaLookSam<S, D> {
    fn launch(
        &mut self,
        w: &mut DeviceVec<f32>,
        g: &mut Gradient,
        oracle: &mut DeviceOracle<'_>,
    ) -> DeviceStepResult {
        self.uncounted(w, g, oracle).map(report)
    }

    fn kind(&self) -> usize {
        usize::from(!self.is_due())
    }

    fn count(&mut self) {
        Self::count(self);
    }

    fn take_back(&mut self) {
        Self::take_back(self);
    }

    fn prepare(&mut self) -> Result<(), CudaError> {
        DeviceSpace::prepare(&mut self.sam.space, &self.sam.rule)?;
        self.sam.base.prepare()
    }

    fn set_rate(&mut self, lr: f32) {
        self.sam.base.set_learning_rate(lr);
    }

    fn set_radius(&mut self, rho: f32) {
        self.sam.rule.rho = rho;
    }

    fn is_recordable(&self) -> bool {
        !self.sam.space.waits()
    }

    fn save(&mut self, sink: &mut Sink<'_, f32>) -> Result<(), CudaError> {
        let kept = &mut self.sam.combination.sharpness;
        kept.pull()?;
        sink("looksam.since", Values::Counts(&[self.since]));
        sink("looksam.sharpness", Values::Reals(kept.as_ref()));
        self.sam.base.save(sink)
    }

    fn load(&mut self, source: &mut Source<'_, f32>) -> Result<(), CudaError> {
        let kept = &mut self.sam.combination.sharpness;
        kept.pull()?;
        source("looksam.since", ValuesMut::Counts(core::slice::from_mut(&mut self.since)));
        source("looksam.sharpness", ValuesMut::Reals(kept.as_mut()));
        kept.push()?;
        self.sam.base.load(source)
    }
}
