//! Gradients of parts of a batch.

use core::ops::Range;

use sam_core::{GradientOracle, Pass};

use super::{CudaNetwork, NetworkError};
use crate::{DeviceLoss, DeviceVec, Gradient};

/// A network with its batch, whose gradient can be taken of a part of the batch too.
pub trait DeviceBatch:
    GradientOracle<DeviceVec<f32>, Gradient, Loss = DeviceLoss, Error = NetworkError>
{
    /// Samples of the batch; 0 without one.
    fn samples(&self) -> usize;

    /// Overwrites `grads` with the mean gradient of those samples at `params`. Of each sample random layers draw what they would if
    /// the batch were computed as a whole. Waits for nothing.
    ///
    /// # Errors
    /// As [`GradientOracle::gradient`]; [`NetworkError::Samples`] for a part that is empty or reaches over the end.
    fn gradient_of(
        &mut self,
        part: Range<usize>,
        params: &DeviceVec<f32>,
        grads: &mut Gradient,
        pass: Pass,
    ) -> Result<(), NetworkError>;

    /// The mean loss of the whole batch, of whose parts gradients were taken in that pass.
    ///
    /// # Errors
    /// A device that fails.
    fn loss_of_parts(&mut self, pass: Pass) -> Result<DeviceLoss, NetworkError>;
}

impl DeviceBatch for CudaNetwork {
    fn samples(&self) -> usize {
        self.samples
    }

    fn gradient_of(
        &mut self,
        part: Range<usize>,
        params: &DeviceVec<f32>,
        grads: &mut Gradient,
        pass: Pass,
    ) -> Result<(), NetworkError> {
        self.check_gradient(params, grads)?;
        if part.is_empty() || part.end > self.samples {
            return Err(NetworkError::Samples { most: Some(self.samples), found: part.end });
        }
        Ok(self.forward_backward(params, grads, part, pass)?)
    }

    fn loss_of_parts(&mut self, pass: Pass) -> Result<DeviceLoss, NetworkError> {
        Ok(self.mean_loss(self.samples, pass)?)
    }
}

impl CudaNetwork {
    /// How many samples the parts have that gradients are taken of ([`DeviceBatch::gradient_of`]): the whole batch at first. NVIDIA's
    /// kernels are then chosen for them, and whole batches, as in evaluations, are left to this crate's.
    ///
    /// # Errors
    /// [`NetworkError::Samples`] for none, or more than a batch has; as [`CudaNetwork::set_kernels`].
    pub fn set_part(&mut self, samples: usize) -> Result<(), NetworkError> {
        if samples == 0 || samples > self.batch {
            return Err(NetworkError::Samples { most: Some(self.batch), found: samples });
        }
        self.part = samples;
        Ok(self.choose()?)
    }
}
