//! How long the gradients of a step take, as the device sees it.

use core::time::Duration;

use sam_core::{GradientOracle, Pass};

use crate::{
    CudaError, CudaNetwork, Device, DeviceLoss, DeviceVec, Event, Gradient, NetworkError, step::DeviceReport,
};

/// A mark before and one after the gradient of each pass.
#[derive(Debug)]
pub(crate) struct Marks([[Event; 2]; 2]);

impl Marks {
    pub fn new(device: &Device) -> Result<Self, CudaError> {
        let event = || Event::new(device);
        Ok(Self([[event()?, event()?], [event()?, event()?]]))
    }

    /// Time in the gradients of the step that `report` is of; the device must have come to its end.
    pub fn in_gradients(&self, report: &DeviceReport) -> Result<Duration, CudaError> {
        let passes = if report.perturbed.is_some() { &self.0[..] } else { &self.0[..1] };
        passes.iter().map(|[before, after]| after.since(before)).sum()
    }
}

/// A network whose gradients are marked.
pub(crate) struct Timed<'a> {
    pub network: &'a mut CudaNetwork,
    pub marks: &'a mut Marks,
}

impl GradientOracle<DeviceVec<f32>, Gradient> for Timed<'_> {
    type Loss = DeviceLoss;
    type Error = NetworkError;

    fn gradient(
        &mut self,
        params: &DeviceVec<f32>,
        grads: &mut Gradient,
        pass: Pass,
    ) -> Result<DeviceLoss, NetworkError> {
        let [before, after] = &mut self.marks.0[usize::from(pass == Pass::Perturbed)];
        before.record()?;
        let loss = self.network.gradient(params, grads, pass)?;
        after.record()?;
        Ok(loss)
    }
}
