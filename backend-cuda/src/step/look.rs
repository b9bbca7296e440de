//! LookSAM.

use sam_core::LookSam;

use super::{
    DeviceDescent, DeviceOracle, DeviceStep, DeviceStepResult, GradientBuffer, Sink, Source, load, report,
    save, sealed::Sealed,
};
use crate::{CudaError, DeviceSpace, DeviceVec, Gradient};

impl<S: DeviceSpace, D, B> Sealed for LookSam<S, D, B> {}

/// Its space should be a [waiting](crate::CudaSpace::waiting) one: the part that it keeps outlives a step, and nobody would
/// take back one that is not finite.
impl<S: DeviceSpace, D: DeviceDescent> DeviceStep for LookSam<S, D, GradientBuffer> {
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

    /// Steps are of two kinds, and each asks for a number on the host.
    fn is_recordable(&self) -> bool {
        false
    }

    fn save(&mut self, sink: &mut Sink<'_>) -> Result<(), CudaError> {
        let [kept, _] = self.look.buffers_mut();
        kept.pull()?;
        save(&self.look, sink);
        self.base.save(sink)
    }

    fn load(&mut self, source: &mut Source<'_>) -> Result<(), CudaError> {
        let [kept, _] = self.look.buffers_mut();
        kept.pull()?;
        load(&mut self.look, source);
        let [kept, _] = self.look.buffers_mut();
        kept.push()?;
        self.base.load(source)
    }
}
