//! SAM and ASAM.

use sam_core::{Sam, Sink, Source};

use super::{DeviceDescent, DeviceOracle, DeviceStep, DeviceStepResult, report, sealed::Sealed};
use crate::{CudaError, DeviceSpace, DeviceVec, Gradient};

impl<S: DeviceSpace, D> Sealed for Sam<S, D> {}

impl<S: DeviceSpace, D: DeviceDescent> DeviceStep for Sam<S, D> {
    steps_with_rule!();

    fn launch(
        &mut self,
        w: &mut DeviceVec<f32>,
        g: &mut Gradient,
        oracle: &mut DeviceOracle<'_>,
    ) -> DeviceStepResult {
        Self::step(self, w, g, oracle).map(report)
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
