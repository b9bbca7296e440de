//! How long the gradients of a step take, as the device sees it.

use core::{ops::Range, time::Duration};

use sam_core::{GradientOracle, Pass};

use crate::{
    CudaError, Device, DeviceBatch, DeviceLoss, DeviceVec, Event, Gradient, NetworkError, SharedBatch,
};

/// Marks before and after each gradient of a step.
#[derive(Debug)]
pub(crate) struct Marks {
    device: Device,
    pairs: Vec<[Event; 2]>,
    /// Gradients of the latest step.
    pub gradients: usize,
}

impl Marks {
    pub const fn new(device: Device) -> Self {
        Self { device, pairs: Vec::new(), gradients: 0 }
    }

    /// Those of the next gradient. A step's first launch makes them, and its recording finds them.
    fn next(&mut self) -> Result<&mut [Event; 2], CudaError> {
        if self.gradients == self.pairs.len() {
            self.pairs.push([Event::new(&self.device)?, Event::new(&self.device)?]);
        }
        self.gradients += 1;
        Ok(&mut self.pairs[self.gradients - 1])
    }

    /// Time in the gradients of the latest step; the device must have come to its end.
    pub fn in_gradients(&self) -> Result<Duration, CudaError> {
        self.pairs[..self.gradients].iter().map(|[before, after]| after.since(before)).sum()
    }
}

/// A batch whose gradients are marked, with the sums over ranks that go with them.
pub(crate) struct Timed<'a> {
    pub batch: &'a mut dyn DeviceBatch,
    pub marks: &'a mut Marks,
}

impl Timed<'_> {
    fn marked<R>(
        &mut self,
        gradient: impl FnOnce(&mut dyn DeviceBatch) -> Result<R, NetworkError>,
    ) -> Result<R, NetworkError> {
        let [before, after] = self.marks.next()?;
        before.record()?;
        let done = gradient(self.batch)?;
        after.record()?;
        Ok(done)
    }
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
        self.marked(|batch| batch.gradient(params, grads, pass))
    }
}

impl DeviceBatch for Timed<'_> {
    fn samples(&self) -> usize {
        self.batch.samples()
    }

    fn gradient_of(
        &mut self,
        part: Range<usize>,
        params: &DeviceVec<f32>,
        grads: &mut Gradient,
        pass: Pass,
    ) -> Result<(), NetworkError> {
        self.marked(|batch| batch.gradient_of(part, params, grads, pass))
    }

    fn loss_of_parts(&mut self, pass: Pass) -> Result<DeviceLoss, NetworkError> {
        self.batch.loss_of_parts(pass)
    }

    fn shared(&mut self) -> Option<&mut dyn SharedBatch> {
        self.batch.shared()
    }
}
