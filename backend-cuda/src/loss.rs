//! The loss on the device.

#![allow(unsafe_code, reason = "launches of kernels")]

use core::ops::Range;
use std::sync::Arc;

use sam_core::Loss;
use sam_model::Evaluation;

use crate::{
    CudaError, Device, DeviceVec, Grid, Ptr, PtrMut,
    element::{Element, Value},
    kernels::{ActivationKernels, LossSum},
};

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
    /// Of the samples of each pass, whose parts may take turns.
    records: [DeviceVec<LossSum>; 2],
}

/// What a loss is computed of: samples of a batch.
pub(crate) struct Losses {
    /// The first of them; logits and their gradient begin with it, labels do not.
    pub first: usize,
    pub samples: usize,
    /// Whether it is the perturbed pass's.
    pub perturbed: bool,
    /// Labels of the images that they are mixed with, from the first of these samples on, and the labels' own share; null if they are
    /// not mixed.
    pub partners: (Ptr<u32>, Ptr<f64>),
}

impl CrossEntropy {
    pub fn new(device: &Device, classes: usize, batch: usize) -> Result<Self, CudaError> {
        Ok(Self {
            labels: DeviceVec::zeros(device, batch)?,
            classes,
            records: [DeviceVec::zeros(device, batch)?, DeviceVec::zeros(device, batch)?],
        })
    }

    /// The loss of each sample against `logits`; and the gradient of their mean, unless null.
    pub fn launch(
        &mut self,
        kernels: &ActivationKernels,
        losses: &Losses,
        logits: Ptr<Value>,
        smoothing: f64,
        d_logits: PtrMut<Value>,
    ) -> Result<(), CudaError> {
        let &Losses { first, samples, perturbed, partners: (partners, share) } = losses;
        let device = self.labels.device().clone();
        let labels = self.labels.view().ptr().add(first);
        let records = self.records[usize::from(perturbed)].view_mut().ptr().add(first);
        let arguments = (logits, labels, partners, share, self.classes as u32, smoothing, d_logits, records);
        let grid = Grid::new([samples as u32, 1, 1], 32);
        // SAFETY: logits and, unless null, their gradient have samples times classes values; labels, records and, unless null, partners
        // have one for each sample of the batch, and labels are below classes.
        unsafe { device.launch(&kernels.cross_entropy, grid, arguments) }
    }

    /// Where the records of these samples are, and their bytes.
    pub fn bytes(&self, samples: &Range<usize>, perturbed: bool) -> (PtrMut<u8>, usize) {
        let records = &self.records[usize::from(perturbed)];
        let first = records.shared_ptr().add(samples.start);
        (PtrMut::new(first.address()), samples.len() * size_of::<LossSum>())
    }

    /// The mean of the losses of the batch's first `samples` samples, into `to`.
    pub fn mean(&self, samples: usize, perturbed: bool, to: &DeviceLoss) -> Result<(), CudaError> {
        let device = self.labels.device();
        let records = self.records[usize::from(perturbed)].view().ptr();
        let arguments = (records, samples as u32, to.0.shared_ptr());
        // It is the same for all elements.
        // SAFETY: there is a record for each sample; the result is a single value that nothing on the host refers to.
        unsafe {
            device.launch(
                &device.activations(Element::F32).cross_entropy_mean,
                Grid::new([1, 1, 1], 256),
                arguments,
            )
        }
    }
}
