//! SAM and ASAM.

use sam_core::Sam;

use super::{
    DeviceDescent, DeviceOracle, DeviceStep, DeviceStepResult, Sink, Source, report, sealed::Sealed,
};
use crate::{CudaError, DeviceSpace, DeviceVec, Gradient};

impl<S: DeviceSpace, D> Sealed for Sam<S, D> {}

impl<S: DeviceSpace, D: DeviceDescent> DeviceStep for Sam<S, D> {
    fn step(
        &mut self,
        w: &mut DeviceVec<f32>,
        g: &mut Gradient,
        oracle: &mut DeviceOracle<'_>,
    ) -> DeviceStepResult {
        Self::step(self, w, g, oracle).map(report)
    }

    fn prepare(&mut self) -> Result<(), CudaError> {
        self.space.prepare(&self.rule)?;
        self.base.prepare()
    }

    fn set_rate(&mut self, lr: f32) {
        self.base.set_rate(lr);
    }

    fn set_radius(&mut self, rho: f32) {
        self.rule.rho = rho;
    }

    fn is_recordable(&self) -> bool {
        !self.space.waits()
    }

    fn save(&mut self, sink: &mut Sink<'_>) -> Result<(), CudaError> {
        self.base.save(sink)
    }

    fn load(&mut self, source: &mut Source<'_>) -> Result<(), CudaError> {
        self.base.load(source)
    }
}
