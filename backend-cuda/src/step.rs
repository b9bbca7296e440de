//! Training methods whose whole step runs on the device, behind one face.

#![allow(unsafe_code, reason = "launches of kernels")]

/// What methods with a space, a rule and a base optimizer do alike.
macro_rules! steps_with_rule {
    () => {
        fn prepare(&mut self) -> Result<(), CudaError> {
            self.space.prepare(&self.rule)?;
            self.base.prepare()
        }

        fn set_rate(&mut self, lr: f32) {
            self.base.set_learning_rate(lr);
        }

        fn set_radius(&mut self, rho: f32) {
            self.rule.rho = rho;
        }
    };
}

mod buffer;
mod descent;
mod friendly;
mod gsam;
mod looksam;
mod m_sharpness;
mod plain;
mod sam;
mod variant;

pub use buffer::GradientBuffer;
pub use friendly::{CudaFriendly, CudaPerturbedOnly};
pub use gsam::CudaGsam;
pub use looksam::CudaLookSam;
pub use m_sharpness::CudaMSharpness;

use sam_core::{Descent, LearningRate, Outcome, Pass, Sink, Source, Step, StepError, Verdict};

use crate::{
    CudaError, DeviceBatch, DeviceLoss, DeviceNorm, DeviceVec, Gradient, Grid, NetworkError, Ptr,
    kernels::{LossSum, NormParts},
};

/// Loss and gradient of a network on the device.
pub type DeviceOracle<'a> = dyn DeviceBatch + 'a;

/// The report of a step on the device; there is a norm where something was perturbed.
pub type DeviceReport = Step<DeviceLoss, Option<DeviceNorm>>;

/// What a step on the device returns.
pub type DeviceStepResult = Result<DeviceReport, StepError<CudaError, NetworkError, CudaError>>;

/// A base optimizer whose rates can change between steps that are replayed.
pub trait DeviceDescent:
    Descent<DeviceVec<f32>, Gradient, Error = CudaError> + LearningRate<f32> + Send
{
    /// Brings changed rates to the device.
    ///
    /// # Errors
    /// A device that fails.
    fn prepare(&mut self) -> Result<(), CudaError>;

    /// Shows `sink` what a run must remember; waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    fn save(&self, sink: &mut Sink<'_, f32>) -> Result<(), CudaError>;

    /// Takes over what `source` remembers; waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    fn load(&mut self, source: &mut Source<'_, f32>) -> Result<(), CudaError>;
}

/// A training method on the device. Those of this crate only: what [`StepGraph`](crate::StepGraph) has recorded of one
/// stays right for as long as nobody changes more of it than these functions do.
pub trait DeviceStep: sealed::Sealed + Send {
    /// One step from the parameters `w`; `g` is scratch space for the gradients and holds the last one afterwards.
    ///
    /// # Errors
    /// [`StepError`] says who failed.
    fn step(
        &mut self,
        w: &mut DeviceVec<f32>,
        g: &mut Gradient,
        oracle: &mut DeviceOracle<'_>,
    ) -> DeviceStepResult {
        let report = self.launch(w, g, oracle)?;
        if report.outcome.steps() {
            self.count();
        }
        Ok(report)
    }

    /// [`DeviceStep::step`] as it is recorded: nothing on the host changes.
    ///
    /// # Errors
    /// [`StepError`] says who failed.
    fn launch(
        &mut self,
        w: &mut DeviceVec<f32>,
        g: &mut Gradient,
        oracle: &mut DeviceOracle<'_>,
    ) -> DeviceStepResult;

    /// Which of the kinds of steps that the method takes in turn the next one is; each kind is recorded by itself.
    fn kind(&self) -> usize {
        0
    }

    /// A step was made, launched or replayed: for methods that take several kinds in turn.
    fn count(&mut self) {}

    /// The latest step came to nothing, as the device says: it counts no more.
    fn take_back(&mut self) {}

    /// Brings changed rates and a changed radius to the device.
    ///
    /// # Errors
    /// A device that fails.
    fn prepare(&mut self) -> Result<(), CudaError>;

    /// Changes the learning rate of the steps to come.
    fn set_rate(&mut self, lr: f32);

    /// Changes the radius of the steps to come, if there is one.
    fn set_radius(&mut self, rho: f32);

    /// Whether every step of a kind asks the same of the device and waits for nothing.
    fn is_recordable(&self) -> bool;

    /// Shows `sink` what a run must remember, always in the same order; waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    fn save(&mut self, sink: &mut Sink<'_, f32>) -> Result<(), CudaError>;

    /// Has `source` fill all of that; waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    fn load(&mut self, source: &mut Source<'_, f32>) -> Result<(), CudaError>;
}

pub(crate) mod sealed {
    /// What keeps other crates from being a [`DeviceStep`](super::DeviceStep).
    pub trait Sealed {}
}

/// The report of a method that always has a norm.
fn report(step: Step<DeviceLoss, DeviceNorm>) -> DeviceReport {
    step.into()
}

impl<S: DeviceStep + ?Sized> sealed::Sealed for Box<S> {}

impl<S: DeviceStep + ?Sized> DeviceStep for Box<S> {
    fn step(
        &mut self,
        w: &mut DeviceVec<f32>,
        g: &mut Gradient,
        oracle: &mut DeviceOracle<'_>,
    ) -> DeviceStepResult {
        S::step(self, w, g, oracle)
    }

    fn launch(
        &mut self,
        w: &mut DeviceVec<f32>,
        g: &mut Gradient,
        oracle: &mut DeviceOracle<'_>,
    ) -> DeviceStepResult {
        S::launch(self, w, g, oracle)
    }

    fn kind(&self) -> usize {
        S::kind(self)
    }

    fn count(&mut self) {
        S::count(self);
    }

    fn take_back(&mut self) {
        S::take_back(self);
    }

    fn prepare(&mut self) -> Result<(), CudaError> {
        S::prepare(self)
    }

    fn set_rate(&mut self, lr: f32) {
        S::set_rate(self, lr);
    }

    fn set_radius(&mut self, rho: f32) {
        S::set_radius(self, rho);
    }

    fn is_recordable(&self) -> bool {
        S::is_recordable(self)
    }

    fn save(&mut self, sink: &mut Sink<'_, f32>) -> Result<(), CudaError> {
        S::save(self, sink)
    }

    fn load(&mut self, source: &mut Source<'_, f32>) -> Result<(), CudaError> {
        S::load(self, source)
    }
}

/// What a step came to, once the device has been asked; waits for it.
///
/// # Errors
/// A device that fails.
pub(crate) fn settled(report: &DeviceReport, g: &Gradient) -> Result<Outcome, CudaError> {
    if report.outcome != Outcome::Deferred {
        return Ok(report.outcome);
    }
    let clean = report.norm.as_ref().map_or(Ok(Verdict::Unknown), DeviceNorm::verdict)?;
    Ok(outcome(report, clean, g.is_finite()?))
}

/// Of a step whose outcome nobody has asked for: from what the norm and the check say.
fn outcome(report: &DeviceReport, clean: Verdict, finite: bool) -> Outcome {
    match (clean, report.perturbed.is_some()) {
        _ if report.outcome != Outcome::Deferred => report.outcome,
        (Verdict::NonFinite, _) => Outcome::NonFinite(Pass::Clean),
        (_, true) if !finite => Outcome::NonFinite(Pass::Perturbed),
        (_, false) if !finite => Outcome::NonFinite(Pass::Clean),
        (Verdict::Zero, _) => Outcome::ZeroGradient,
        _ => Outcome::Descended,
    }
}

const LOSS_WORDS: usize = size_of::<LossSum>() / 4;
const NORM_WORDS: usize = size_of::<NormParts>() / 4;
/// Words that [`gather`] needs room for.
pub(crate) const REPORT_WORDS: usize = LOSS_WORDS + NORM_WORDS + 1;

/// The clean loss and what the step came to, in one copy from the device; waits for it once.
///
/// # Errors
/// A device that fails.
pub(crate) fn gather(
    report: &DeviceReport,
    g: &Gradient,
    to: &mut DeviceVec<u32>,
) -> Result<(f64, Outcome), CudaError> {
    let device = to.device().clone();
    let norm = report.norm.as_ref().map_or(Ptr::NULL, |norm| norm.parts().ptr());
    let sizes = [LOSS_WORDS as u32, NORM_WORDS as u32];
    let arguments = (report.clean.ptr(), sizes[0], norm, sizes[1], g.finite().ptr(), to.view_mut().ptr());
    // SAFETY: loss and norm are records of so many words, the flag is one; there is room for all.
    unsafe { device.launch(&device.kernels().report, Grid::new([1, 1, 1], 64), arguments)? };
    let words = to.read()?;
    let loss: LossSum = bytemuck::pod_read_unaligned(bytemuck::cast_slice(&words[..LOSS_WORDS]));
    let clean = report.norm.as_ref().map_or(Verdict::Unknown, |_| {
        let norm = &words[LOSS_WORDS..][..NORM_WORDS];
        bytemuck::pod_read_unaligned::<NormParts>(bytemuck::cast_slice(norm)).verdict()
    });
    Ok((loss.loss(), outcome(report, clean, words[REPORT_WORDS - 1] != 0)))
}
