//! The loss on the device.

#![allow(unsafe_code, reason = "launches of kernels")]

use std::sync::Arc;

use sam_core::Loss;
use sam_model::Evaluation;

use crate::{CudaError, Device, DeviceVec, Grid, Ptr, PtrMut, kernels::LossSum};

/// What a forward pass over a batch came to, on the device.
///
/// There is one such result for each pass of a step in a network: the next step overwrites it. Read it before.
#[derive(Clone, Debug)]
pub struct DeviceLoss(Arc<DeviceVec<LossSum>>);

/// Nobody has waited for it yet. Where it is not finite, the kernel that computes it makes the gradient NaN.
impl Loss for DeviceLoss {
    fn is_non_finite(&self) -> bool {
        false
    }
}

impl DeviceLoss {
    /// Where one pass's result goes.
    pub(crate) fn new(device: &Device) -> Result<Self, CudaError> {
        Ok(Self(Arc::new(DeviceVec::zeros(device, 1)?)))
    }

    /// Where the result is.
    pub(crate) fn ptr(&self) -> Ptr<LossSum> {
        self.0.view().ptr()
    }

    /// Mean loss of the batch; waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    pub fn value(&self) -> Result<f64, CudaError> {
        self.evaluation().map(|evaluation| evaluation.loss)
    }

    /// Loss and correct predictions; waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    pub fn evaluation(&self) -> Result<Evaluation, CudaError> {
        let mut sum = [LossSum::default()];
        self.0.read_into(&mut sum)?;
        Ok(sum[0].evaluation())
    }
}

/// Softmax cross-entropy of a batch.
pub(crate) struct CrossEntropy {
    pub labels: DeviceVec<u32>,
    pub classes: usize,
    records: DeviceVec<LossSum>,
}

impl CrossEntropy {
    pub fn new(device: &Device, classes: usize, batch: usize) -> Result<Self, CudaError> {
        Ok(Self {
            labels: DeviceVec::zeros(device, batch)?,
            classes,
            records: DeviceVec::zeros(device, batch)?,
        })
    }

    /// Mean loss of the first `samples` labels against `logits`, into `to`; and its gradient, unless null.
    pub fn launch(
        &mut self,
        samples: usize,
        logits: Ptr<f32>,
        smoothing: f64,
        d_logits: PtrMut<f32>,
        to: &DeviceLoss,
    ) -> Result<(), CudaError> {
        let device = self.labels.device().clone();
        let kernels = device.kernels();
        let (samples, classes) = (samples as u32, self.classes as u32);
        let labels = self.labels.view().ptr();
        let arguments = (logits, labels, classes, smoothing, d_logits, self.records.view_mut().ptr());
        // SAFETY: logits and, unless null, their gradient have samples times classes values, labels and records one for
        // each sample, and labels are below classes.
        unsafe { device.launch(&kernels.cross_entropy, Grid::new([samples, 1, 1], 32), arguments)? };
        let mean = (self.records.view().ptr(), samples, to.0.shared_ptr());
        // SAFETY: as above; the result is a single value that nothing on the host refers to.
        unsafe { device.launch(&kernels.cross_entropy_mean, Grid::new([1, 1, 1], 256), mean) }
    }
}
