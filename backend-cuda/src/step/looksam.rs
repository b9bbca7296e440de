//! LookSAM.

use sam_core::{LookSam, Sink, Source, State};

use super::{
    DeviceDescent, DeviceOracle, DeviceStep, DeviceStepResult, GradientBuffer, report, sealed::Sealed,
};
use crate::{CudaError, DeviceSpace, DeviceVec, Gradient};

impl<S: DeviceSpace, D, B> Sealed for LookSam<S, D, B> {}

/// Its space should be a [waiting](crate::CudaSpace::waiting) one: the part that it keeps outlives a step, and nobody would
/// take back one that is not finite.
impl<S: DeviceSpace, D: DeviceDescent> DeviceStep for LookSam<S, D, GradientBuffer> {
    steps_with_rule!();

    /// Steps are of two kinds, and each asks for a number on the host.
    fn is_recordable(&self) -> bool {
        false
    }

    fn save(&mut self, sink: &mut Sink<'_, f32>) -> Result<(), CudaError> {
        let [kept, _] = self.reuse.buffers_mut();
        kept.pull()?;
        self.reuse.save(sink);
        self.base.save(sink)
    }

    fn load(&mut self, source: &mut Source<'_, f32>) -> Result<(), CudaError> {
        let [kept, _] = self.reuse.buffers_mut();
        kept.pull()?;
        self.reuse.load(source);
        let [kept, _] = self.reuse.buffers_mut();
        kept.push()?;
        self.base.load(source)
    }
}
