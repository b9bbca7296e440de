//! Averages of the weights along training.

#![allow(unsafe_code, reason = "launches of kernels")]

use sam_core::average::Weighting;

use crate::{CudaError, Device, DeviceVec, Grid};

/// [`sam_core::Average`] in device memory, bit for bit; nothing waits for it.
///
/// How many steps were taken in the host knows: it is for the host to say that a step was made.
/// Memory: one word a weight. Traffic of [`CudaAverage::add`]: 2 reads, 1 write a weight, in one launch.
#[derive(Debug)]
pub struct CudaAverage {
    /// How much each step's weights count.
    pub weighting: Weighting<f32>,
    mean: DeviceVec<f32>,
    count: u64,
}

impl CudaAverage {
    /// Of nothing yet, for `len` weights.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn new(device: &Device, weighting: Weighting<f32>, len: usize) -> Result<Self, CudaError> {
        Ok(Self { weighting, mean: DeviceVec::zeros(device, len)?, count: 0 })
    }

    /// Takes in the weights of one more step.
    ///
    /// # Errors
    /// [`CudaError::Length`], and nothing is changed; a device that fails.
    pub fn add(&mut self, w: &DeviceVec<f32>) -> Result<(), CudaError> {
        CudaError::check_length("weights to average", self.mean.len(), w.len())?;
        w.check_device("buffer of weights", self.mean.device())?;
        self.count = self.count.saturating_add(1);
        if self.count == 1 {
            return self.mean.copy_from(w);
        }
        let (n, device) = (w.len() as u32, w.device());
        let arguments = (self.mean.view_mut().ptr(), w.view().ptr(), n, self.weighting.share(self.count));
        // SAFETY: mean and w have n entries and are two buffers.
        unsafe { device.launch(&device.kernels().average, Grid::vectors(n, size_of::<f32>()), arguments) }
    }

    /// The average; meaningless before the first [`CudaAverage::add`].
    #[must_use]
    pub const fn mean(&self) -> &DeviceVec<f32> {
        &self.mean
    }

    /// Steps that were taken in.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Takes over the state of a checkpoint; waits for the device.
    ///
    /// # Errors
    /// [`CudaError::Length`] if there is not one value for each weight; nothing is changed then.
    pub fn restore(&mut self, count: u64, mean: &[f32]) -> Result<(), CudaError> {
        CudaError::check_length("average", self.mean.len(), mean.len())?;
        self.mean.write(mean)?;
        self.count = count;
        Ok(())
    }
}
