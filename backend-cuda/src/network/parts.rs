//! Gradients of parts of a batch.

use core::ops::Range;

use sam_core::{GradientOracle, Pass};

use super::{CudaNetwork, NetworkError};
use crate::{CudaError, DeviceLoss, DeviceVec, Gradient, Ptr, PtrMut};

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

    /// The same batch as it is shared out in groups, if it is: who takes gradients of parts takes those of its groups then.
    fn shared(&mut self) -> Option<&mut dyn SharedBatch> {
        None
    }
}

/// A batch in groups, some of which other GPUs may have.
pub trait SharedBatch: DeviceBatch {
    /// The groups of this rank, in their order; one may be empty.
    fn groups(&self) -> Vec<Range<usize>>;

    /// Adds the gradient of a group, of its turn, to the sum, weighted by its samples; an empty one counts as zeros. One whose step may
    /// not be made is NaN to all ranks.
    ///
    /// # Errors
    /// A device that fails.
    fn add(&mut self, group: Range<usize>, grads: &Gradient) -> Result<(), NetworkError>;

    /// After all groups: overwrites `grads` with the mean over the whole batch, the same on all ranks. Losses and running statistics
    /// are then those of all, too.
    ///
    /// # Errors
    /// A device, or another rank, that fails.
    fn mean(&mut self, grads: &mut Gradient) -> Result<(), NetworkError>;
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
        self.check_room(part.len())?;
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
        if samples == 0 || samples > self.room {
            return Err(NetworkError::Samples { most: Some(self.room), found: samples });
        }
        self.part = samples;
        Ok(self.choose()?)
    }

    /// Whether running statistics follow the batches of a pass.
    pub(crate) fn statistics_follow(&self, pass: Pass) -> bool {
        pass == Pass::Clean && !self.frozen && !self.statistics.is_empty()
    }

    /// Replaces the running statistics by as many values on the device. Does not wait.
    pub(crate) fn take_statistics(&mut self, from: Ptr<f32>) -> Result<(), CudaError> {
        self.device.copy(self.statistics.len(), from, self.statistics.shared_ptr())
    }

    /// Where the losses of these samples in a pass are, and their bytes.
    pub(crate) fn losses(&self, samples: &Range<usize>, pass: Pass) -> (PtrMut<u8>, usize) {
        self.loss.bytes(samples, pass != Pass::Clean)
    }
}
