//! GSAM, WSAM, Friendly SAM and what else is an ascent rule with a combination.

use sam_core::{AlongGradient, AscentRule, Combination, Sink, Source, State, StepError, Variant, Wsam};

use super::{
    DeviceDescent, DeviceOracle, DeviceStep, DeviceStepResult, GradientBuffer, report, sealed::Sealed,
};
use crate::{CudaError, DeviceSpace, DeviceVec, Gradient};

/// An ascent rule or a combination on the device, every step of which asks the same of the device and waits for nothing. While state is
/// saved or restored it has a copy on the host, which is what [`State`] sees of it.
pub trait OnDevice: State<f32> + Send {
    /// What went wrong in the latest step where there was no way to say so.
    ///
    /// # Errors
    /// That.
    fn failure(&mut self) -> Result<(), CudaError> {
        Ok(())
    }

    /// Copies what outlives a step to the host; waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    fn pull(&mut self) -> Result<(), CudaError> {
        Ok(())
    }

    /// Copies it back; waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    fn push(&mut self) -> Result<(), CudaError> {
        Ok(())
    }
}

impl OnDevice for AlongGradient {}
impl OnDevice for Wsam<f32, GradientBuffer> {}

impl<S: DeviceSpace, A, C, D> Sealed for Variant<S, A, C, D> {}

impl<S, A, C, D> DeviceStep for Variant<S, A, C, D>
where
    S: DeviceSpace,
    A: AscentRule<S, D> + OnDevice,
    C: Combination<S, D> + OnDevice,
    D: DeviceDescent,
{
    steps_with_rule!();

    fn launch(
        &mut self,
        w: &mut DeviceVec<f32>,
        g: &mut Gradient,
        oracle: &mut DeviceOracle<'_>,
    ) -> DeviceStepResult {
        let step = Self::step(self, w, g, oracle)?;
        self.ascent.failure().map_err(StepError::Space)?;
        Ok(report(step))
    }

    fn is_recordable(&self) -> bool {
        !self.space.waits()
    }

    fn save(&mut self, sink: &mut Sink<'_, f32>) -> Result<(), CudaError> {
        self.ascent.pull()?;
        self.combination.pull()?;
        self.ascent.save(sink);
        self.combination.save(sink);
        self.base.save(sink)
    }

    fn load(&mut self, source: &mut Source<'_, f32>) -> Result<(), CudaError> {
        self.ascent.pull()?;
        self.combination.pull()?;
        self.ascent.load(source);
        self.combination.load(source);
        self.ascent.push()?;
        self.combination.push()?;
        self.base.load(source)
    }
}
