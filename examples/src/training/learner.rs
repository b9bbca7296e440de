//! What the training loop asks of a backend.

use std::{error::Error, time::Duration};

use ndarray::ArrayView4;
use sam_core::{Outcome, Pass};

use super::{
    nonfinite::Origin,
    state::{State, StateMismatch},
};

/// A network with an optimizer, wherever its parameters live. One implementation for each backend.
pub trait Learner {
    /// One optimizer step on a batch with learning rate `rate`.
    ///
    /// # Errors
    /// [`LearnerError`], when the batch does not fit or the backend fails; all state is then as before. So it is after
    /// [`Outcome::NonFinite`], which a loss that is not finite leads to as well.
    fn step(&mut self, batch: Batch<'_>, rate: f32) -> Result<StepReport, LearnerError>;

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

    /// The number of trained parameters.
    fn parameter_count(&self) -> usize;

    /// Where the latest step met a number that is not finite in `pass`, if the backend can tell. Asked right after a
    /// step that ended so; may be slow.
    fn origin(&self, pass: Pass) -> Option<Origin> {
        let _ = pass;
        None
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

/// What a step did.
#[derive(Debug, Clone, Copy)]
pub struct StepReport {
    /// Mean loss on the batch at the weights before the step.
    pub loss: f64,
    /// Whether the weights were changed, and if not, why.
    pub outcome: Outcome,
    /// The part of the step spent in computing gradients.
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
