//! Networks on the device behind `sam-core`'s gradient oracle.

#![allow(unsafe_code, reason = "copies of which two are waited for at once")]

mod build;
mod choose;
mod error;
mod images;
mod mixing;
mod parts;
#[cfg(test)]
mod residual_tests;
mod run;
mod storage;
#[cfg(test)]
mod tests;

pub use error::NetworkError;
pub use images::{Augmentation, DeviceImages};
pub use parts::{DeviceBatch, SharedBatch};

use core::ops::Range;

use sam_core::{GradientOracle, Pass};
use sam_model::{Architecture, Description, Evaluation, ImageShape, TensorInfo, random::Random};

use crate::{
    ChosenKernel, CudaError, Device, DeviceVec, Gradient, KernelChoice, Precision,
    activations::Activations,
    element::Element,
    layer::Draws,
    loss::{CrossEntropy, DeviceLoss},
    plan::{Backward, Plan},
};
use build::Task;
use mixing::Mixing;
use storage::Images;

/// A network that computes the loss of a batch and its gradient on the device.
///
/// Built from the same description as the CPU backend's, with the same initial parameters for the same seed and the same
/// layout of parameters and statistics: a checkpoint of one is a checkpoint of the other. Parameters and gradients are
/// the caller's, each one flat vector; [`CudaNetwork::tensors`] says which tensor is where.
///
/// A gradient launches kernels and waits for nothing. Sums run in an order that depends on shapes alone, without
/// atomic operations: the same bits at every run.
///
/// Everything is allocated when it is built, for batches up to a given size; see [`CudaNetwork::buffer_bytes`].
pub struct CudaNetwork {
    /// Before the device, with which the libraries go whose plans these have.
    tasks: Vec<Task>,
    device: Device,
    backward: Vec<Backward>,
    d_logits: usize,
    description: Description,
    /// Of each tensor the buffer of its values.
    buffers: Vec<usize>,
    /// Of the images nothing: those lie apart.
    values: Vec<Activations>,
    gradients: Vec<Activations>,
    /// What both are of.
    element: Element,
    images: Images,
    statistics: DeviceVec<f32>,
    remembered: DeviceVec<f32>,
    scratch: DeviceVec<f64>,
    /// Sums that a convolution leaves to the normalisation behind it.
    sums: DeviceVec<f32>,
    draws: Draws,
    loss: CrossEntropy,
    clean: DeviceLoss,
    perturbed: DeviceLoss,
    mixing: Option<Mixing>,
    smoothing: f64,
    frozen: bool,
    choice: KernelChoice,
    chosen: Vec<ChosenKernel>,
    samples: usize,
    batch: usize,
    /// Samples that there is room for at a time, all else than the batch.
    room: usize,
    /// Samples of the parts that gradients are taken of.
    part: usize,
}

impl CudaNetwork {
    /// Builds `architecture` for images of shape `image`, `classes` classes and batches of up to `batch` samples.
    ///
    /// # Errors
    /// When the image is too small for the network, a number is out of range, or memory runs out.
    pub fn new(
        device: &Device,
        architecture: &Architecture,
        image: ImageShape,
        classes: usize,
        batch: usize,
    ) -> Result<Self, NetworkError> {
        Self::build(device, &architecture.describe(image, classes)?, batch)
    }

    /// Builds a network of one's own for batches of up to `batch` samples.
    ///
    /// # Errors
    /// When the batch is empty, or memory runs out.
    pub fn build(device: &Device, description: &Description, batch: usize) -> Result<Self, NetworkError> {
        Self::build_in(device, description, batch, Precision::Single)
    }

    /// As [`CudaNetwork::build`], in that precision from the beginning: in bf16 memory for activations in f32 is never asked for.
    ///
    /// # Errors
    /// As [`CudaNetwork::build`] and [`CudaNetwork::set_precision`].
    pub fn build_in(
        device: &Device,
        description: &Description,
        batch: usize,
        precision: Precision,
    ) -> Result<Self, NetworkError> {
        Self::build_in_parts(device, description, (batch, batch), precision)
    }

    /// The same for batches of up to as many samples as the first number says, with memory for the second one at a time, but for the
    /// batch's images and labels: for gradients of parts of a batch ([`DeviceBatch::gradient_of`]) that are never larger. Evaluations go
    /// by as many at a time.
    ///
    /// # Errors
    /// As [`CudaNetwork::build_in`]; [`NetworkError::Samples`] if there is room for none, or for more than a batch.
    pub fn build_in_parts(
        device: &Device,
        description: &Description,
        (batch, room): (usize, usize),
        precision: Precision,
    ) -> Result<Self, NetworkError> {
        device.check_precision(precision)?;
        let element = Element::of(precision);
        if batch == 0 {
            return Err(NetworkError::Samples { most: None, found: 0 });
        }
        if room == 0 || room > batch {
            return Err(NetworkError::Samples { most: Some(batch), found: room });
        }
        let plan = Plan::new(description);
        let mut tasks = build::tasks(device, description, &plan, room)?;
        tasks.iter_mut().for_each(|task| task.set_precision(precision));
        let scratch = tasks.iter().map(|task| task.scratch_bytes(room)).max().unwrap_or(0);
        let sums = tasks.iter().filter_map(|task| task.together).map(|together| 2 * together.squares()).max();
        let mut value_lens = plan.value_lens;
        value_lens[plan.values[0]] = 0;
        let statistics: Vec<f32> = description.statistics().initial_values(0).map(|x| x as f32).collect();
        Ok(Self {
            tasks,
            values: storage::buffers(device, element, &value_lens, room)?,
            gradients: storage::buffers(device, element, &plan.gradient_lens, room)?,
            element,
            images: Images::new(device, element, description.image().len(), batch)?,
            remembered: DeviceVec::from_slice(device, &statistics)?,
            statistics: DeviceVec::from_slice(device, &statistics)?,
            scratch: DeviceVec::zeros(device, scratch.div_ceil(size_of::<f64>()).max(1))?,
            sums: DeviceVec::zeros(device, sums.unwrap_or(0).max(1))?,
            draws: Draws::new(device, description, room)?,
            loss: CrossEntropy::new(device, description.classes(), batch)?,
            clean: DeviceLoss::new(device)?,
            perturbed: DeviceLoss::new(device)?,
            mixing: None,
            device: device.clone(),
            backward: plan.backward,
            d_logits: plan.d_logits,
            description: description.clone(),
            buffers: plan.values,
            smoothing: 0.0,
            frozen: false,
            choice: KernelChoice::Native,
            chosen: Vec::new(),
            samples: 0,
            batch,
            room,
            part: room,
        })
    }

    /// Number of parameters: the length of the vectors.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.description.parameters().len()
    }

    /// The parameter tensors, in the order of the vectors.
    #[must_use]
    pub fn tensors(&self) -> &[TensorInfo] {
        self.description.parameters().tensors()
    }

    /// Parameters to start from, on the host: those of the CPU backend for the same seed.
    #[must_use]
    pub fn initial_parameters(&self, seed: u64) -> Vec<f32> {
        self.description.parameters().initial_values(seed).map(|value| value as f32).collect()
    }

    /// Running means and (unbiased) variances of batch normalisation; waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    pub fn statistics(&self) -> Result<Vec<f32>, CudaError> {
        self.statistics.read()
    }

    /// What is where in [`CudaNetwork::statistics`].
    #[must_use]
    pub fn statistic_tensors(&self) -> &[TensorInfo] {
        self.description.statistics().tensors()
    }

    /// Replaces the running statistics, as when a checkpoint is loaded.
    ///
    /// # Errors
    /// When the length is not that of [`CudaNetwork::statistics`].
    pub fn set_statistics(&mut self, statistics: &[f32]) -> Result<(), CudaError> {
        CudaError::check_length("running statistics", self.statistics.len(), statistics.len())?;
        self.statistics.write(statistics)
    }

    /// Whether gradients, too, normalise by the running statistics, which then stay as they are in every pass: for fine-tuning on few
    /// images. Not at first.
    pub const fn freeze_statistics(&mut self, frozen: bool) {
        self.frozen = frozen;
    }

    /// Keeps the running statistics as they are now, for [`CudaNetwork::recall_statistics`]: the clean pass of a step changes
    /// them although the step may come to nothing. A copy on the device, one launch.
    ///
    /// # Errors
    /// A device that fails.
    pub fn remember_statistics(&mut self) -> Result<(), CudaError> {
        self.remembered.copy_from(&self.statistics)
    }

    /// Makes the running statistics what they were when remembered, or at first.
    ///
    /// # Errors
    /// A device that fails.
    pub fn recall_statistics(&mut self) -> Result<(), CudaError> {
        self.statistics.copy_from(&self.remembered)
    }

    /// Means and unbiased variances of the batch in every batch normalisation, laid out like [`CudaNetwork::statistics`]: what
    /// those would follow in a clean pass. Nothing is changed. Cost: a forward pass; waits for the device.
    ///
    /// For weights that no clean pass was made with, such as an average of weights (Izmailov et al. 2018).
    ///
    /// # Errors
    /// When the parameters don't fit the network, or there is no batch.
    pub fn batch_statistics(&mut self, params: &DeviceVec<f32>) -> Result<Vec<f32>, NetworkError> {
        self.check_parameters(params)?;
        if self.samples == 0 {
            return Err(NetworkError::NoBatch);
        }
        self.check_room(self.samples)?;
        Ok(self.forward_measure(params)?)
    }

    /// The running statistics where they are, to read.
    #[must_use]
    pub const fn running_statistics(&self) -> &DeviceVec<f32> {
        &self.statistics
    }

    /// What random layers (dropout, drop-connect, Shake-Shake, ShakeDrop) draw from in gradients and in
    /// [`CudaNetwork::batch_statistics`], from here on: set it once a step, so that both passes draw the same numbers, which are
    /// the CPU backend's. Without it, as at first, gradients are of the network with each of them by its expectation, which
    /// evaluations always take. One launch, which waits for nothing.
    ///
    /// # Errors
    /// A device that fails.
    pub fn set_random(&mut self, random: Option<Random>) -> Result<(), CudaError> {
        self.draws.set(random)
    }

    /// Whether any layer is random.
    #[must_use]
    pub fn is_random(&self) -> bool {
        self.description.nodes().iter().any(|node| node.op.is_random())
    }

    /// Share of each target spread over all classes, in [0, 1); 0 at first. For training only.
    pub fn set_label_smoothing(&mut self, smoothing: f32) {
        self.smoothing = f64::from(smoothing);
    }

    /// Bytes of activations and their gradients: most of what the network holds. In bf16 half as many as in f32.
    #[must_use]
    pub fn buffer_bytes(&self) -> usize {
        let buffers = self.values.iter().chain(&self.gradients);
        self.images.bytes() + buffers.map(Activations::bytes).sum::<usize>()
    }

    /// The batch whose loss the next gradients are of: images as `samples x height x width x channels` values, and a
    /// class for each. Copies both to the device and waits for that.
    ///
    /// # Errors
    /// When the images are of another size than the network's, more than its batch, or don't go with the labels.
    pub fn set_batch(&mut self, images: &[f32], labels: &[u16]) -> Result<(), NetworkError> {
        self.samples = 0;
        self.check(images, labels)?;
        if labels.len() > self.batch {
            return Err(NetworkError::Samples { most: Some(self.batch), found: labels.len() });
        }
        self.load(images, labels)?;
        self.begin_batch(labels.len())
    }

    /// As [`CudaNetwork::set_batch`], made on the device of the images at `range` of their order. Waits for nothing.
    ///
    /// # Errors
    /// When the images are of another shape or have more classes than the network, or the range is empty, longer than its
    /// batch or reaches over the end of the order.
    pub fn set_batch_from(
        &mut self,
        images: &DeviceImages,
        range: Range<usize>,
        augmentation: Option<&Augmentation>,
    ) -> Result<(), NetworkError> {
        self.samples = 0;
        if range.is_empty() || range.len() > self.batch {
            return Err(NetworkError::Samples { most: Some(self.batch), found: range.len() });
        }
        images.check(self.description.image(), self.loss.classes, &range)?;
        images.check_device(&self.device)?;
        let (values, labels) = (&self.images.values, &self.loss.labels);
        images.launch(&range, augmentation, values.shared_ptr(), labels.shared_ptr())?;
        self.begin_batch(range.len())
    }

    /// Values and labels of the batch that is set, on the host; empty without one. Waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    pub fn batch(&self) -> Result<(Vec<f32>, Vec<u32>), CudaError> {
        let (mut values, mut labels) =
            (vec![0.0; self.samples * self.description.image().len()], vec![0; self.samples]);
        self.images.values.read_into(&mut values)?;
        self.loss.labels.read_into(&mut labels)?;
        Ok((values, labels))
    }

    /// Mean loss and correct predictions on any number of images, with running statistics. Forgets the batch. Waits for the
    /// device.
    ///
    /// # Errors
    /// When the images or the parameters don't fit the network, or there are none.
    pub fn evaluate(
        &mut self,
        params: &DeviceVec<f32>,
        images: &[f32],
        labels: &[u16],
    ) -> Result<Evaluation, NetworkError> {
        self.check_parameters(params)?;
        self.samples = 0;
        self.check(images, labels)?;
        let mut total = Evaluation::default();
        let parts = images.chunks(self.room * self.description.image().len()).zip(labels.chunks(self.room));
        for (images, labels) in parts {
            self.load(images, labels)?;
            total = total.and(self.forward_evaluate(params, labels.len())?.evaluation()?);
        }
        Ok(total)
    }

    /// Whether a gradient can be asked for.
    pub(crate) const fn has_batch(&self) -> bool {
        self.samples > 0
    }

    fn check(&self, images: &[f32], labels: &[u16]) -> Result<(), NetworkError> {
        if labels.is_empty() {
            return Err(NetworkError::Samples { most: None, found: 0 });
        }
        CudaError::check_length("images", labels.len() * self.description.image().len(), images.len())?;
        let classes = self.loss.classes;
        match labels.iter().position(|&label| usize::from(label) >= classes) {
            None => Ok(()),
            Some(sample) => Err(NetworkError::Label { classes, found: labels[sample], sample }),
        }
    }

    /// A batch of so many samples is there, and not mixed.
    fn begin_batch(&mut self, samples: usize) -> Result<(), NetworkError> {
        if let Some(mixing) = &mut self.mixing {
            mixing.begin()?;
        }
        self.samples = samples;
        Ok(())
    }

    /// Whether there is a batch, and both fit the network.
    fn check_gradient(&self, params: &DeviceVec<f32>, grads: &Gradient) -> Result<(), NetworkError> {
        self.check_parameters(params)?;
        CudaError::check_length("gradient", self.parameter_count(), grads.len())?;
        grads.values().check_device("gradient", &self.device)?;
        if self.samples == 0 { Err(NetworkError::NoBatch) } else { Ok(()) }
    }

    /// Whether so many samples can be computed at a time.
    fn check_room(&self, samples: usize) -> Result<(), NetworkError> {
        if samples <= self.room {
            Ok(())
        } else {
            Err(NetworkError::Samples { most: Some(self.room), found: samples })
        }
    }

    fn check_parameters(&self, params: &DeviceVec<f32>) -> Result<(), CudaError> {
        CudaError::check_length("parameters", self.parameter_count(), params.len())?;
        params.check_device("buffer of parameters", &self.device)
    }

    fn load(&mut self, images: &[f32], labels: &[u16]) -> Result<(), CudaError> {
        let labels: Vec<u32> = labels.iter().map(|&label| u32::from(label)).collect();
        // SAFETY: both are borrowed until the device has been waited for, once for both.
        let begun = unsafe {
            self.loss.labels.begin_write(&labels).and_then(|()| self.images.values.begin_write(images))
        };
        self.device.synchronize()?;
        begun
    }
}

impl GradientOracle<DeviceVec<f32>, Gradient> for CudaNetwork {
    /// Mean loss of the batch, on the device.
    type Loss = DeviceLoss;
    type Error = NetworkError;

    fn gradient(
        &mut self,
        params: &DeviceVec<f32>,
        grads: &mut Gradient,
        pass: Pass,
    ) -> Result<DeviceLoss, NetworkError> {
        self.check_gradient(params, grads)?;
        self.check_room(self.samples)?;
        self.forward_backward(params, grads, 0..self.samples, pass)?;
        Ok(self.mean_loss(self.samples, pass)?)
    }
}
