//! A network of a run's architecture with some images, as a function of its weights.

use std::ops::Range;

use ndarray::{Array2, Array4, Axis, Slice};
use sam_backend_ndarray::{BatchError, Network, Scalar};
use sam_core::{GradientOracle, Pass};
use sam_model::{Description, Evaluation, TensorInfo};

use crate::{
    data::{Dataset, ImageSet, Standardizer},
    training::{
        learner::LearnerError,
        settings::Settings,
        state::{STATISTICS, State, WEIGHTS},
    },
};

/// Mean loss over images as a function of the weights, with its gradient.
///
/// Unlike in training all images count, unaugmented, one batch after the other. Batch normalisation normalises by the
/// batch in gradients, as in training, and by running statistics in evaluations; the latter never change.
pub struct Model<T> {
    network: Network<T>,
    images: Array4<T>,
    labels: Vec<u16>,
    batch: usize,
    /// The images that gradients and losses are of.
    chosen: Range<usize>,
    /// Images of the latest gradient, and those of them that were classified rightly in its forward pass.
    latest: (usize, usize),
    part: Vec<T>,
}

impl<T: Scalar> Model<T> {
    /// The network of `settings` with the images of `set`, which is the training or test set of `dataset`, and `labels`.
    ///
    /// # Errors
    /// [`LearnerError`], when the network cannot be built.
    pub fn new(
        settings: &Settings,
        dataset: &Dataset,
        set: &ImageSet,
        labels: Vec<u16>,
    ) -> Result<Self, LearnerError> {
        let standardizer = dataset.standardizer().map_err(LearnerError::backend)?;
        let description = settings.describe(dataset.shape, dataset.classes).map_err(LearnerError::backend)?;
        Self::of(settings, &description, &standardizer, set, labels)
    }

    /// The network of `description` on the first images of `set`, as many as there are `labels`, standardised by `standardizer`.
    ///
    /// # Errors
    /// [`LearnerError`], when it cannot be built or the images not be read.
    pub fn of(
        settings: &Settings,
        description: &Description,
        standardizer: &Standardizer,
        set: &ImageSet,
        labels: Vec<u16>,
    ) -> Result<Self, LearnerError> {
        let shape = description.image();
        let count = labels.len();
        let mut values = vec![0.0_f32; count * shape.len()];
        let pixels = set.pixels.all().map_err(LearnerError::backend)?;
        standardizer.apply(&pixels[..values.len()], &mut values);
        let values = values.into_iter().map(|value| T::of(f64::from(value))).collect();
        let images = Array4::from_shape_vec((count, shape.height, shape.width, shape.channels), values);
        let images = images.map_err(LearnerError::backend)?;
        let batch = settings.batch.largest();
        let mut network = Network::build(description, batch, 1).map_err(LearnerError::backend)?;
        network.set_label_smoothing(T::of(settings.label_smoothing));
        let part = vec![T::zero(); network.parameter_count()];
        Ok(Self { network, images, labels, batch, chosen: 0..count, latest: (0, 0), part })
    }

    /// The weights of `state`; takes over its statistics.
    ///
    /// # Errors
    /// [`LearnerError`], when the state is of another network.
    pub fn weights(&mut self, state: &State) -> Result<Vec<T>, LearnerError> {
        let statistics = flat(state, STATISTICS, self.network.statistic_tensors())?;
        self.network.set_statistics(&statistics).map_err(LearnerError::backend)?;
        flat(state, WEIGHTS, self.network.tensors())
    }

    /// What is where in the weights.
    pub fn tensors(&self) -> &[TensorInfo] {
        self.network.tensors()
    }

    /// Number of weights.
    pub fn parameter_count(&self) -> usize {
        self.network.parameter_count()
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// From now on, losses and gradients are of the images in `range` alone.
    pub fn choose(&mut self, range: Range<usize>) {
        self.chosen = range.start.min(self.len())..range.end.min(self.len());
    }

    /// Share of the images of the latest gradient that its forward pass classified wrongly, in percent: as in training, by the
    /// statistics of the batch.
    pub fn error(&self) -> f64 {
        let (images, right) = self.latest;
        100.0 * (images - right) as f64 / images as f64
    }

    /// Mean loss and hits in evaluation mode.
    ///
    /// # Errors
    /// [`BatchError`], when the weights are of another network or no images are chosen.
    pub fn evaluate(&mut self, weights: &[T]) -> Result<Evaluation, BatchError> {
        let chosen = Slice::from(self.chosen.clone());
        let images = self.images.slice_axis(Axis(0), chosen);
        self.network.evaluate(weights, images, &self.labels[self.chosen.clone()])
    }

    /// The logits of the chosen images, a row for each, in evaluation mode.
    ///
    /// # Errors
    /// As [`Model::evaluate`].
    pub fn logits(&mut self, weights: &[T], classes: usize) -> Result<Array2<T>, BatchError> {
        let mut logits = Array2::from_elem((self.chosen.len(), classes), T::zero());
        let images = self.images.slice_axis(Axis(0), Slice::from(self.chosen.clone()));
        self.network.logits(weights, images, logits.view_mut())?;
        Ok(logits)
    }

    /// The class that the network takes each image for.
    ///
    /// # Errors
    /// As [`Model::evaluate`].
    pub fn predict(&mut self, weights: &[T], classes: usize) -> Result<Vec<u16>, BatchError> {
        let logits = self.logits(weights, classes)?;
        let best = |row: ndarray::ArrayView1<'_, T>| {
            (0..classes).fold(0, |best, class| if row[class] > row[best] { class } else { best }) as u16
        };
        Ok(logits.outer_iter().map(best).collect())
    }
}

impl<T: Scalar> GradientOracle<[T]> for Model<T> {
    type Loss = f64;
    type Error = BatchError;

    /// The mean over the chosen images; running statistics stay as they are whatever the pass.
    fn gradient(&mut self, params: &[T], grads: &mut [T], _: Pass) -> Result<f64, BatchError> {
        let Range { start, end } = self.chosen.clone();
        grads.fill(T::zero());
        let mut loss = 0.0;
        self.latest = (end - start, 0);
        for first in (start..end).step_by(self.batch) {
            let last = (first + self.batch).min(end);
            let share = (last - first) as f64 / (end - start) as f64;
            let images = self.images.slice_axis(Axis(0), Slice::from(first..last));
            self.network.set_batch(images, &self.labels[first..last])?;
            loss += share * self.network.gradient(params, &mut self.part, Pass::Perturbed)?;
            self.latest.1 += self.network.latest().correct;
            let share = T::of(share);
            grads.iter_mut().zip(&self.part).for_each(|(sum, &part)| *sum += share * part);
        }
        Ok(loss)
    }
}

fn flat<T: Scalar>(state: &State, group: &str, infos: &[TensorInfo]) -> Result<Vec<T>, LearnerError> {
    let mut values = vec![T::zero(); infos.last().map_or(0, |info| info.range.end)];
    for info in infos {
        let name = format!("{group}{}", info.name);
        let of = |shape: &[usize]| format!("shape {shape:?}");
        let tensor = state.get(&name).filter(|tensor| tensor.shape == info.shape).ok_or_else(|| {
            let found = state.get(&name).map_or("none".to_owned(), |tensor| of(&tensor.shape));
            crate::training::state::StateMismatch { name: name.clone(), expected: of(&info.shape), found }
        })?;
        let to = &mut values[info.range.clone()];
        to.iter_mut().zip(&tensor.values).for_each(|(to, &value)| *to = T::of(f64::from(value)));
    }
    Ok(values)
}
