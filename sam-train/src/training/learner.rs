//! What the training loop asks of a backend.

use std::{borrow::Cow, error::Error, ops::Range, time::Duration};

use ndarray::ArrayView4;
use sam_core::{Outcome, Pass};
use sam_model::ImageShape;

use super::{
    average::{Averaged, Which},
    kernels::ChosenKernels,
    nonfinite::Origin,
    state::{State, StateMismatch},
};
use crate::data::{Augment, Pixels, Standardizer};

/// A network with an optimizer, wherever its parameters live. One implementation for each backend.
pub trait Learner {
    /// One optimizer step on a batch with learning rate `rate`.
    ///
    /// # Errors
    /// [`LearnerError`], when the batch does not fit or the backend fails; all state is then as before. So it is after
    /// [`Outcome::NonFinite`], which a loss that is not finite leads to as well.
    fn step(&mut self, batch: Batch<'_>, rate: f32) -> Result<StepReport, LearnerError>;

    /// Takes the training images to where it computes, if it can and there is room: steps are then [`Learner::step_on`]
    /// chosen ones, and nobody brings them any more. `false` if it has not.
    ///
    /// # Errors
    /// [`LearnerError`], when the backend fails.
    fn take_images(&mut self, images: &TrainingImages<'_>) -> Result<bool, LearnerError> {
        let _ = images;
        Ok(false)
    }

    /// As [`Learner::step`] on the batch that the images of [`Learner::take_images`] would be brought in.
    ///
    /// # Errors
    /// As [`Learner::step`], and when it has taken none.
    fn step_on(&mut self, chosen: Chosen<'_>, rate: f32) -> Result<StepReport, LearnerError> {
        let _ = (chosen, rate);
        Err(LearnerError::backend(NoImages))
    }

    /// Mean loss and hits on any number of images, in evaluation mode.
    ///
    /// # Errors
    /// [`LearnerError`], when the images do not fit or the backend fails.
    fn evaluate(&mut self, batch: Batch<'_>) -> Result<Evaluation, LearnerError>;

    /// Everything that determines how training goes on, apart from what the data loop knows.
    ///
    /// # Errors
    /// [`LearnerError`], when the backend fails.
    fn export(&mut self) -> Result<State, LearnerError>;

    /// Takes over a state that a learner of the same settings has exported.
    ///
    /// # Errors
    /// [`LearnerError::State`], when the state is of another network or optimizer; the learner is then as before.
    fn import(&mut self, state: &State) -> Result<(), LearnerError>;

    /// From now on batch normalisation normalises by its running statistics in training too, and they stay as they are:
    /// as the paper fine-tunes (section 3.2).
    ///
    /// # Errors
    /// [`LearnerError::Backend`], when the backend cannot.
    fn freeze_statistics(&mut self) -> Result<(), LearnerError> {
        Err(LearnerError::Backend(
            "this backend cannot freeze the statistics of batch normalisation; use `backend` cpu".into(),
        ))
    }

    /// The number of trained parameters.
    fn parameter_count(&self) -> usize;

    /// Takes the weights, as they are now, into one of the averages that the settings ask for. [`Learner::export`] has those
    /// too. This, and what follows, is for averages.
    ///
    /// # Errors
    /// [`LearnerError::NoAverages`], when it keeps none such; [`LearnerError`], when the backend fails.
    fn add_to_average(&mut self, which: Which) -> Result<(), LearnerError> {
        let _ = which;
        Err(LearnerError::NoAverages)
    }

    /// One of those averages; `None` before any weights were taken into it.
    ///
    /// # Errors
    /// As [`Learner::add_to_average`].
    fn average(&mut self, which: Which) -> Result<Option<Averaged>, LearnerError> {
        let _ = which;
        Err(LearnerError::NoAverages)
    }

    /// The weights, tensor by tensor in the order of [`Learner::export`].
    ///
    /// # Errors
    /// [`LearnerError::NoAverages`], when the backend cannot; [`LearnerError`], when it fails.
    fn parameters(&mut self) -> Result<Cow<'_, [f32]>, LearnerError> {
        Err(LearnerError::NoAverages)
    }

    /// The running statistics of batch normalisation, in that order.
    ///
    /// # Errors
    /// As [`Learner::parameters`].
    fn statistics(&mut self) -> Result<Cow<'_, [f32]>, LearnerError> {
        Err(LearnerError::NoAverages)
    }

    /// Replaces weights and running statistics by others of the same lengths; the optimizer's state stays.
    ///
    /// # Errors
    /// As [`Learner::parameters`].
    fn set_parameters(&mut self, parameters: &[f32], statistics: &[f32]) -> Result<(), LearnerError> {
        let _ = (parameters, statistics);
        Err(LearnerError::NoAverages)
    }

    /// What the running statistics would follow on a batch, at most as large as a step's: its means and unbiased
    /// variances. Nothing is changed.
    ///
    /// # Errors
    /// As [`Learner::parameters`].
    fn measure(&mut self, batch: Batch<'_>) -> Result<Vec<f32>, LearnerError> {
        let _ = batch;
        Err(LearnerError::NoAverages)
    }

    /// Where the latest step met a number that is not finite in `pass`, if the backend can tell. Asked right after a
    /// step that ended so; may be slow.
    fn origin(&self, pass: Pass) -> Option<Origin> {
        let _ = pass;
        None
    }

    /// Which kernels compute the network's products; nothing where there is no choice.
    fn kernels(&self) -> ChosenKernels {
        ChosenKernels::default()
    }
}

/// Images with their labels.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Standardised values: image, row, column, channel (NHWC).
    pub images: ArrayView4<'a, f32>,
    /// A class for each image.
    pub labels: &'a [u16],
}

/// All training images, and what becomes of those in a batch.
#[derive(Debug, Clone, Copy)]
pub struct TrainingImages<'a> {
    /// Image by image, row by row, pixel by pixel, channel by channel (NHWC).
    pub pixels: &'a Pixels,
    /// A class for each image.
    pub labels: &'a [u16],
    /// The size of every image.
    pub shape: ImageShape,
    /// What bytes become.
    pub standardizer: &'a Standardizer,
    /// How images are changed each time they are seen.
    pub augment: Augment,
    /// The run's: with the epoch and an image's number it says how.
    pub seed: u64,
}

/// Some of the training images.
#[derive(Debug, Clone)]
pub struct Chosen<'a> {
    /// The epoch.
    pub epoch: u64,
    /// The order of the images in that epoch, the same for all its steps.
    pub order: &'a [usize],
    /// Where in it the batch lies.
    pub range: Range<usize>,
}

/// A step on images that the learner does not have.
#[derive(Debug, thiserror::Error)]
#[error("expected the training images to be taken before a step on some of them, found none")]
pub(super) struct NoImages;

/// What a step did.
#[derive(Debug, Clone, Copy)]
pub struct StepReport {
    /// Mean loss on the batch at the weights before the step.
    pub loss: f64,
    /// Whether the weights were changed, and if not, why.
    pub outcome: Outcome,
    /// The part of the step spent in computing gradients, with the norm where that is accumulated along.
    pub in_gradients: Duration,
}

/// How good the weights are on some images.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Evaluation {
    /// Mean loss.
    pub loss: f64,
    /// Images whose class was found.
    pub correct: usize,
    /// Images.
    pub count: usize,
}

impl Evaluation {
    /// The share of images whose class was not found, in percent.
    pub fn error_percent(&self) -> f64 {
        100.0 * (self.count - self.correct) as f64 / self.count as f64
    }

    /// The evaluation of both sets of images.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let count = self.count + other.count;
        let sum = self.loss * self.count as f64 + other.loss * other.count as f64;
        Self { loss: sum / count as f64, correct: self.correct + other.correct, count }
    }
}

/// Why a learner failed.
#[derive(Debug, thiserror::Error)]
pub enum LearnerError {
    /// The backend's own error.
    #[error("{0}")]
    Backend(Box<dyn Error + Send + Sync>),
    /// Averages need more than this backend offers.
    #[error(
        "`ema`, `swa-from`: expected a backend that can average weights, found one that cannot; use `backend` cpu"
    )]
    NoAverages,
    /// A state of something else.
    #[error(transparent)]
    State(#[from] StateMismatch),
}

impl LearnerError {
    /// Wraps a backend's error.
    pub fn backend(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Backend(Box::new(error))
    }
}
