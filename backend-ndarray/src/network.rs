//! A network on the CPU: built once, then losses and gradients of batches.

mod build;
mod random;
mod run;
mod scalar;

use crate::{
    buffer::Buffer,
    error::{BatchError, NetworkError, check_length},
    kernel::Vectors,
    plan::{Activations, Place, Plan},
    threads::{self, Threads},
};
use build::Task;
use ndarray::{ArrayView4, ArrayViewMut2, Axis, Slice};
pub use random::Random;
use sam_core::{GradientOracle, Pass, Ready};
use sam_model::{Architecture, Description, Evaluation, ImageShape, Node, TensorInfo};
use scalar::Compiled;
pub use scalar::Scalar;

/// What a network takes, known before any of it is allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Number of parameters.
    pub parameters: usize,
    /// [`Network::buffer_bytes`]; the layers' working memory comes on top.
    pub buffer_bytes: u128,
}

/// A network that computes the loss of a batch and its gradient, behind [`GradientOracle`].
///
/// Parameters and gradients are the caller's, each one flat arena; [`Network::tensors`] says which tensor is
/// where. The network itself holds what a pass needs: activations, gradients of activations, and the running
/// statistics of batch normalisation, which follow the batch in the clean pass of a step only.
///
/// Everything is allocated when it is built, for batches up to a given size; see [`Network::buffer_bytes`].
///
/// ```
/// use ndarray::Array4;
/// use sam_backend_ndarray::Network;
/// use sam_core::{Rule, Sam, Sgd, SliceSpace};
/// use sam_model::ImageShape;
///
/// let image = ImageShape::new(8, 8, 1);
/// let mut network = Network::<f32>::new(&"lenet".parse()?, image, 10, 4, 1)?;
/// let mut weights = network.initial_parameters(0);
/// let mut gradient = vec![0.0; weights.len()];
/// let perturbed = vec![0.0; weights.len()];
/// let mut sam = Sam::new(SliceSpace::new(perturbed), Rule::l2(0.05), Sgd::new(0.1));
///
/// network.set_batch(Array4::zeros([4, 8, 8, 1]).view(), &[3, 1, 4, 1])?;
/// let step = sam.step(&mut weights[..], &mut gradient[..], &mut network)?;
/// assert!(step.clean > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Network<T> {
    compiled: Compiled<T>,
    tasks: Vec<Task<T>>,
    /// The layer that each task computes.
    names: Vec<String>,
    description: Description,
    values: Vec<Buffer<T>>,
    gradients: Vec<Buffer<T>>,
    statistics: Vec<T>,
    ends: run::Ends,
    labels: Vec<u16>,
    smoothing: f64,
    frozen: bool,
    random: Option<Random>,
    batch: usize,
    /// Of the latest gradient.
    latest: Evaluation,
    threads: Threads,
}

impl<T: Scalar> Network<T> {
    /// Builds `architecture` for images of shape `image`, `classes` classes and batches of up to `batch` samples,
    /// run by `threads` threads (0: as many as the machine has cores, but no more than [`Network::worthwhile_threads`]). Results
    /// don't depend on their number.
    ///
    /// # Errors
    /// When the image is too small for the network, or a number is out of range.
    pub fn new(
        architecture: &Architecture,
        image: ImageShape,
        classes: usize,
        batch: usize,
        threads: usize,
    ) -> Result<Self, NetworkError> {
        Self::build(&architecture.describe(image, classes)?, batch, threads)
    }

    /// The size of what [`Network::new`] would build.
    ///
    /// # Errors
    /// When the image is too small for the network.
    pub fn size(
        architecture: &Architecture,
        image: ImageShape,
        classes: usize,
        batch: usize,
    ) -> Result<Size, NetworkError> {
        Self::size_with(architecture, image, classes, batch, Activations::Kept)
    }

    /// The size of what [`Network::build_with`] would build of `architecture`.
    ///
    /// # Errors
    /// When the image is too small for the network.
    pub fn size_with(
        architecture: &Architecture,
        image: ImageShape,
        classes: usize,
        batch: usize,
        activations: Activations,
    ) -> Result<Size, NetworkError> {
        Ok(Self::size_of(&architecture.describe(image, classes)?, batch, activations))
    }

    /// The size of what [`Network::build_with`] would build of `description`.
    #[must_use]
    pub fn size_of(description: &Description, batch: usize, activations: Activations) -> Size {
        let plan = Plan::new(description, activations);
        let elements = plan.value_slots.iter().chain(&plan.gradient_slots);
        let elements: u128 = elements.map(|&len| build::buffer_len(len, batch)).sum();
        let parameters = description.parameters().len();
        Size { parameters, buffer_bytes: elements * size_of::<T>() as u128 }
    }

    /// The most threads that a pass over a batch is worth: a second one for a network of microseconds would only have to be
    /// woken.
    #[must_use]
    pub fn worthwhile_threads(description: &Description, batch: usize) -> usize {
        let products = |node: &&Node| node.multiply_adds > 0;
        let layers = description.nodes().iter().filter(products).count();
        threads::worth(description.multiply_adds().saturating_mul(batch as u64), layers)
    }

    /// Builds a network of one's own for batches of up to `batch` samples.
    ///
    /// ```
    /// use sam_backend_ndarray::Network;
    /// use sam_model::{Description, ImageShape, Op, Padding, Tensor};
    ///
    /// let description = Description::new(ImageShape::new(8, 8, 1), 10, |graph| {
    ///     let conv = Op::Conv { channels: 4, kernel: 3, stride: 1, padding: Padding::Explicit(1), groups: 1, bias: true };
    ///     let x = graph.push("conv", conv, &[Tensor::INPUT])?;
    ///     graph.chain(x, [
    ///         ("relu", Op::Relu),
    ///         ("pool", Op::GlobalAvgPool),
    ///         ("head", Op::Classify { classes: 10 }),
    ///     ])
    /// })?;
    /// let network = Network::<f32>::build(&description, 32, 1)?;
    /// assert_eq!(network.parameter_count(), (3 * 3 * 4 + 4) + (4 * 10 + 10));
    /// # Ok::<(), sam_backend_ndarray::NetworkError>(())
    /// ```
    ///
    /// # Errors
    /// When the batch is empty, buffers for it can't be addressed, or threads can't be had.
    pub fn build(description: &Description, batch: usize, threads: usize) -> Result<Self, NetworkError> {
        Self::build_with(description, batch, threads, Activations::Kept)
    }

    /// As [`Network::build`], with activations kept or computed again: the latter takes another forward pass for less memory,
    /// about as that of the blocks of a residual network and the square root of their number. The same bits come out.
    ///
    /// # Errors
    /// As [`Network::build`].
    pub fn build_with(
        description: &Description,
        batch: usize,
        threads: usize,
        activations: Activations,
    ) -> Result<Self, NetworkError> {
        let threads = match threads {
            0 => Threads::cores().min(Self::worthwhile_threads(description, batch)),
            count => count,
        };
        let threads = Threads::new(threads).map_err(|cause| NetworkError::Threads(cause.to_string()))?;
        Self::build_on(threads, description, batch, activations)
    }

    /// As [`Network::build_with`], on threads that are there already: another network's, or a host program's own
    /// ([`Threads::lent`]).
    ///
    /// ```
    /// use sam_backend_ndarray::{Activations, Network, Pool, Threads};
    /// use sam_model::{Architecture, ImageShape};
    ///
    /// /// Two threads, started for each loop; a pool that keeps them is faster.
    /// struct Scoped;
    ///
    /// impl Pool for Scoped {
    ///     fn members(&self) -> usize {
    ///         2
    ///     }
    ///     fn run(&self, work: &(dyn Fn(usize) + Sync)) {
    ///         std::thread::scope(|scope| {
    ///             scope.spawn(|| work(1));
    ///             work(0);
    ///         });
    ///     }
    /// }
    ///
    /// let lenet: Architecture = "lenet".parse()?;
    /// let description = lenet.describe(ImageShape::new(8, 8, 1), 10)?;
    /// let threads = Threads::lent(std::sync::Arc::new(Scoped));
    /// let network = Network::<f32>::build_on(threads, &description, 4, Activations::Kept)?;
    /// assert_eq!(network.threads().count(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the batch is empty or buffers for it can't be addressed.
    pub fn build_on(
        threads: Threads,
        description: &Description,
        batch: usize,
        activations: Activations,
    ) -> Result<Self, NetworkError> {
        if batch == 0 {
            return Err(NetworkError::EmptyBatch);
        }
        Vectors::check().map_err(NetworkError::Vectors)?;
        let (plan, compiled) = (Plan::new(description, activations), T::compiled());
        let values = build::buffers(&plan.value_slots, batch)?;
        let gradients = build::buffers(&plan.gradient_slots, batch)?;
        let computed = description.nodes().iter().zip(&plan.steps).filter(|(_, step)| !step.skip);
        Ok(Self {
            names: computed.map(|(node, _)| node.name.to_string()).collect(),
            tasks: (compiled.tasks)(&plan, batch),
            compiled,
            ends: run::Ends::new(&plan),
            statistics: description.statistics().initial_values(0).map(T::of).collect(),
            description: description.clone(),
            values,
            gradients,
            labels: Vec::with_capacity(batch),
            smoothing: 0.0,
            frozen: false,
            random: None,
            batch,
            latest: Evaluation::default(),
            threads,
        })
    }

    /// The threads that compute it, for others' sweeps over its parameters. See [`ParallelSpace`](crate::ParallelSpace).
    #[must_use]
    pub fn threads(&self) -> Threads {
        self.threads.clone()
    }

    /// Number of parameters: the length of the arenas.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.description.parameters().len()
    }

    /// The parameter tensors, in the order of the arena.
    #[must_use]
    pub fn tensors(&self) -> &[TensorInfo] {
        self.description.parameters().tensors()
    }

    /// Parameters to start from: weights by He et al. 2015, those of the logits and biases 0, batch
    /// normalisation the identity. The same for the same seed on every machine.
    #[must_use]
    pub fn initial_parameters(&self, seed: u64) -> Vec<T> {
        self.description.parameters().initial_values(seed).map(T::of).collect()
    }

    /// Running means and (unbiased) variances of batch normalisation.
    #[must_use]
    pub fn statistics(&self) -> &[T] {
        &self.statistics
    }

    /// What is where in [`Network::statistics`].
    #[must_use]
    pub fn statistic_tensors(&self) -> &[TensorInfo] {
        self.description.statistics().tensors()
    }

    /// Replaces the running statistics, as when a checkpoint is loaded.
    ///
    /// # Errors
    /// When the length is not that of [`Network::statistics`].
    pub fn set_statistics(&mut self, statistics: &[T]) -> Result<(), BatchError> {
        check_length("running statistics", self.statistics.len(), statistics.len())?;
        self.statistics.copy_from_slice(statistics);
        Ok(())
    }

    /// Whether gradients, too, normalise by the running statistics, which then stay as they are in every pass: for
    /// fine-tuning on few images. Not at first.
    pub fn freeze_statistics(&mut self, frozen: bool) {
        self.frozen = frozen;
    }

    /// Means and unbiased variances of the batch in every batch normalisation, laid out like [`Network::statistics`]: what
    /// those would follow in a clean pass. Nothing is changed. Cost: a forward pass, and two vectors of statistics.
    ///
    /// For weights that no clean pass was made with, such as an average of weights (Izmailov et al. 2018).
    ///
    /// # Errors
    /// When the parameters don't fit the network, or there is no batch.
    pub fn batch_statistics(&mut self, params: &[T]) -> Result<Vec<T>, BatchError> {
        check_length("parameters", self.parameter_count(), params.len())?;
        if self.labels.is_empty() {
            return Err(BatchError::NoBatch);
        }
        Ok((self.compiled.measure)(self, params))
    }

    /// What random layers (dropout, drop-connect, Shake-Shake, ShakeDrop) draw from in gradients and in
    /// [`Network::batch_statistics`], from here on: set it once a step, so that both passes draw the same. Without it, as at
    /// first, gradients are of the network with each of them by its expectation, which evaluations always take.
    pub fn set_random(&mut self, random: Option<Random>) {
        self.random = random;
    }

    /// Whether any layer is random.
    #[must_use]
    pub fn is_random(&self) -> bool {
        self.description.nodes().iter().any(|node| node.op.is_random())
    }

    /// Share of each target spread over all classes, in [0, 1); 0 at first. For training only.
    pub fn set_label_smoothing(&mut self, smoothing: T) {
        self.smoothing = smoothing.value();
    }

    /// Bytes of activations and their gradients: most of what the network holds.
    #[must_use]
    pub fn buffer_bytes(&self) -> usize {
        self.values.iter().chain(&self.gradients).map(|buffer| size_of_val::<[T]>(buffer)).sum()
    }

    /// The batch whose loss the next gradients are of: images `samples x height x width x channels`, and a class
    /// for each.
    ///
    /// # Errors
    /// When the images are of another shape than the network's, more than its batch, or don't go with the labels.
    pub fn set_batch(&mut self, images: ArrayView4<'_, T>, labels: &[u16]) -> Result<(), BatchError> {
        self.labels.clear();
        self.check(&images, labels)?;
        let samples = images.len_of(Axis(0));
        if samples > self.batch {
            return Err(BatchError::Samples { most: self.batch, found: samples });
        }
        (self.compiled.load)(self, images);
        self.labels.extend_from_slice(labels);
        Ok(())
    }

    /// Mean loss and correct predictions on any number of images, with running statistics. Forgets the batch.
    ///
    /// # Errors
    /// When the images or the parameters don't fit the network, or there are none.
    pub fn evaluate(
        &mut self,
        params: &[T],
        images: ArrayView4<'_, T>,
        labels: &[u16],
    ) -> Result<Evaluation, BatchError> {
        check_length("parameters", self.parameter_count(), params.len())?;
        self.labels.clear();
        self.check(&images, labels)?;
        let mut total = Evaluation::default();
        for (i, labels) in labels.chunks(self.batch).enumerate() {
            let first = i * self.batch;
            (self.compiled.load)(self, images.slice_axis(Axis(0), Slice::from(first..first + labels.len())));
            total = total.and((self.compiled.evaluate)(self, params, labels));
        }
        Ok(total)
    }

    /// Loss and correct predictions of the latest gradient's forward pass, in training mode; of nothing before there was one.
    #[must_use]
    pub const fn latest(&self) -> Evaluation {
        self.latest
    }

    /// The first layer, in the order in which they are computed, whose output of the latest gradient has an infinite or
    /// NaN value; `None` where all are finite, or no gradient was computed for the batch. A layer that is computed in
    /// place (ReLU, addition) goes by the name of the one before it. To find out what went wrong: reads all
    /// activations. Where these are computed again ([`Activations::Recomputed`]) it is the first among those that are still
    /// there.
    #[must_use]
    pub fn first_nonfinite_layer(&self) -> Option<&str> {
        let samples = self.labels.len();
        let nonfinite = |task: &Task<T>| {
            let Place { slot, layout } = task.output;
            self.values[slot][..samples * layout.sample_len()].iter().any(|value| !value.value().is_finite())
        };
        let position = self.tasks.iter().position(nonfinite)?;
        Some(&self.names[position])
    }

    /// Writes the logits of any number of images, one row each, with running statistics. Forgets the batch.
    ///
    /// # Errors
    /// When the images, the parameters or the rows (images x classes) don't fit the network, or there are none.
    pub fn logits(
        &mut self,
        params: &[T],
        images: ArrayView4<'_, T>,
        mut logits: ArrayViewMut2<'_, T>,
    ) -> Result<(), BatchError> {
        check_length("parameters", self.parameter_count(), params.len())?;
        self.labels.clear();
        let samples = self.check_images(&images)?;
        check_length("rows of logits", samples, logits.nrows())?;
        check_length("columns of logits", self.description.classes(), logits.ncols())?;
        for first in (0..samples).step_by(self.batch) {
            let part = Slice::from(first..samples.min(first + self.batch));
            (self.compiled.load)(self, images.slice_axis(Axis(0), part));
            let mut to = logits.slice_axis_mut(Axis(0), part);
            let samples = to.nrows();
            let (from, layout) = (self.compiled.logits)(self, params, samples);
            let from = layout.vectors(from, samples).flatten();
            to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
        }
        Ok(())
    }

    fn check(&self, images: &ArrayView4<'_, T>, labels: &[u16]) -> Result<(), BatchError> {
        let samples = self.check_images(images)?;
        if labels.len() != samples {
            return Err(BatchError::Labels { expected: samples, found: labels.len() });
        }
        match labels.iter().position(|&label| usize::from(label) >= self.description.classes()) {
            None => Ok(()),
            Some(sample) => {
                Err(BatchError::Label { classes: self.description.classes(), found: labels[sample], sample })
            }
        }
    }

    /// Number of images, if they fit.
    fn check_images(&self, images: &ArrayView4<'_, T>) -> Result<usize, BatchError> {
        let image = self.description.image();
        let (samples, height, width, channels) = images.dim();
        let expected = [image.height, image.width, image.channels];
        if [height, width, channels] != expected {
            return Err(BatchError::Images { expected, found: [samples, height, width, channels] });
        }
        if samples == 0 {
            return Err(BatchError::Samples { most: self.batch, found: 0 });
        }
        Ok(samples)
    }
}

/// Where the loss is not finite, no entry of the gradient is.
impl<T: Scalar> GradientOracle<[T]> for Network<T> {
    /// Mean loss of the batch.
    type Loss = f64;
    type Error = BatchError;

    fn gradient(&mut self, params: &[T], grads: &mut [T], pass: Pass) -> Result<f64, BatchError> {
        self.gradient_in_parts(params, grads, pass, &mut |_, _| {})
    }

    /// The parts are layers, last to first.
    fn gradient_in_parts(
        &mut self,
        params: &[T],
        grads: &mut [T],
        pass: Pass,
        ready: &mut Ready<'_, [T]>,
    ) -> Result<f64, BatchError> {
        let parameters = self.parameter_count();
        check_length("parameters", parameters, params.len())?;
        check_length("gradients", parameters, grads.len())?;
        if self.labels.is_empty() {
            return Err(BatchError::NoBatch);
        }
        self.latest = (self.compiled.backward)(self, params, grads, pass, ready);
        Ok(self.latest.loss)
    }
}
