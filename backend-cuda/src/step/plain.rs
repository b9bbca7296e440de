//! The base optimizer by itself.

use sam_core::{Plain, Sink, Source, Step};

use super::{DeviceDescent, DeviceOracle, DeviceStep, DeviceStepResult, sealed::Sealed};
use crate::{CudaError, DeviceSpace, DeviceVec, Gradient};

impl<S, D> Sealed for Plain<S, D> {}

impl<S: DeviceSpace, D: DeviceDescent> DeviceStep for Plain<S, D> {
    fn launch(
        &mut self,
        w: &mut DeviceVec<f32>,
        g: &mut Gradient,
        oracle: &mut DeviceOracle<'_>,
    ) -> DeviceStepResult {
        let step = Self::step(self, w, g, oracle)?;
        Ok(Step::new(step.loss, None, None, step.outcome))
    }

    fn prepare(&mut self) -> Result<(), CudaError> {
        self.base.prepare()
    }

    fn set_rate(&mut self, lr: f32) {
        self.base.set_learning_rate(lr);
    }

    fn set_radius(&mut self, _: f32) {}

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
