//! What the training loop asks of a backend.

use std::{
    borrow::Cow,
    error::Error,
    ops::Range,
    rc::Rc,
    time::{Duration, Instant},
};

use ndarray::ArrayView4;
use sam_core::{Outcome, Pass};
use sam_model::{Evaluation, ImageShape};

use super::{
    average::{Averaged, Which},
    host_batches::HostBatches,
    kernel_choice::ChosenKernels,
    nonfinite::Origin,
    state::{State, StateMismatch},
};
use crate::{
    data::{Augmentation, DataError, Pixels, Standardizer},
    interrupt::Interrupt,
    ranks::{Alone, Ranks, agreement::PeerFailed},
};

/// A network with an optimizer, wherever its parameters live, and the training images that its steps choose from. One
/// implementation for each backend.
///
/// The loop asks what is here; who works with the weights themselves asks [`Learner::weight_access`], and who wants to know why
/// or how something was computed [`Learner::diagnosis`].
pub trait Learner {
    /// Where the host keeps what it makes batches of, for a learner whose backend does not.
    fn batches(&mut self) -> &mut Option<HostBatches>;

    /// Gives it the training images that [`Learner::step`] chooses from.
    ///
    /// # Errors
    /// [`LearnerError`], when they cannot be read or the backend fails.
    fn set_images(&mut self, images: &TrainingImages<'_>) -> Result<(), LearnerError> {
        *self.batches() = Some(HostBatches::new(images));
        Ok(())
    }

    /// Says which step comes next, a number that no other step of the run has: random layers count their numbers from it. A
    /// learner that is never told counts its steps itself; one without random layers has no use for it.
    fn set_step(&mut self, _step: u64) {}

    /// Says how the steps to come climb: by this share of the method's radius, or, where there is none, not at all: they follow the
    /// plain gradient. A learner that is never told climbs by all of it; one that cannot do anything else has no use for it, and its
    /// backend refuses settings that ask for it.
    fn set_radius(&mut self, _share: Option<f32>) {}

    /// Says whom to ask, between the gradients of a step, whether it shall be given up. A learner whose steps are short has no use
    /// for it.
    fn watch(&mut self, _interrupt: &Interrupt) {}

    /// The processes that share out the steps of a run; of most learners there is one.
    fn ranks(&self) -> Rc<dyn Ranks> {
        Alone::shared()
    }

    /// Says that [`Learner::step_on`] gets, next, this rank's part of a batch of so many images.
    fn set_total(&mut self, _images: usize) {}

    /// Takes part in a step that this rank has no images for, so that the others hear that it has failed.
    fn miss_step(&mut self) {}

    /// What this rank tells the others with the next step.
    fn tell(&mut self, _word: Word) {}

    /// Whether some rank said, with the latest step, that it was asked to stop.
    fn told_to_stop(&self) -> bool {
        false
    }

    /// One optimizer step on some of the training images with learning rate `rate`.
    ///
    /// # Errors
    /// [`LearnerError`], when there are no images or they cannot be read, the batch does not fit, the backend fails, or whom it
    /// watches wants it to stop; all state is then as before. So it is after [`Outcome::NonFinite`], which a loss that is not finite leads to as well.
    fn step(&mut self, chosen: Chosen<'_>, rate: f32) -> Result<StepReport, LearnerError> {
        step_from_host(self, chosen, rate)
    }

    /// As [`Learner::step`] on a batch that the caller brings; on several ranks each brings all of it.
    ///
    /// # Errors
    /// As [`Learner::step`].
    fn step_on(&mut self, batch: Batch<'_>, rate: f32) -> Result<StepReport, LearnerError>;

    /// Mean loss and hits on any number of images, in evaluation mode.
    ///
    /// # Errors
    /// [`LearnerError`], when the images do not fit or the backend fails.
    fn evaluate(&mut self, batch: Batch<'_>) -> Result<Evaluation, LearnerError>;

    /// Everything that determines how training goes on, apart from what the data loop knows. On several ranks all of them make this call,
    /// and get the same.
    ///
    /// # Errors
    /// [`LearnerError`], when the backend fails.
    fn export(&mut self) -> Result<State, LearnerError>;

    /// The same for the first of several ranks only, which is the one that keeps it: `None` on the others, all of which make this
    /// call too, and need no memory for it.
    ///
    /// # Errors
    /// As [`Learner::export`].
    fn export_on_first(&mut self) -> Result<Option<State>, LearnerError> {
        self.export().map(Some)
    }

    /// Takes over a state that a learner of the same settings has exported, whatever its ranks were. No rank needs another for it.
    ///
    /// # Errors
    /// [`LearnerError::State`], when the state is of another network or optimizer; the learner is then as before.
    fn import(&mut self, state: &State) -> Result<(), LearnerError>;

    /// How it computes, as a noun: equal settings give equal weights wherever this is equal.
    fn arithmetic(&self) -> String;

    /// The number of trained parameters.
    fn parameter_count(&self) -> usize;

    /// Its weights and the averages of them.
    ///
    /// # Errors
    /// [`LearnerError::NoAverages`], when it lets nobody at them.
    fn weight_access(&mut self) -> Result<&mut dyn WeightAccess, LearnerError> {
        Err(LearnerError::NoAverages)
    }

    /// What it can tell about its computations, if anything.
    fn diagnosis(&self) -> Option<&dyn Diagnosis> {
        None
    }
}

/// [`Learner::step`] on a batch that the host makes.
///
/// # Errors
/// As [`Learner::step`].
pub fn step_from_host<L: Learner + ?Sized>(
    learner: &mut L,
    chosen: Chosen<'_>,
    rate: f32,
) -> Result<StepReport, LearnerError> {
    let started = Instant::now();
    learner.set_step(chosen.number());
    // Out of its place as long as the step, which needs all of the learner, reads from it.
    let mut batches = learner.batches().take().ok_or_else(|| LearnerError::backend(NoImages))?;
    learner.set_total(chosen.range.len());
    let report = match batches.take(chosen) {
        Ok(batch) => {
            let in_batch = started.elapsed();
            learner.step_on(batch, rate).map(|report| StepReport { in_batch, ..report })
        }
        Err(error) => {
            learner.miss_step();
            Err(error.into())
        }
    };
    *learner.batches() = Some(batches);
    report
}

impl dyn Learner + '_ {
    /// As [`Diagnosis::origin`], if it can tell.
    pub fn origin(&self, pass: Pass) -> Option<Origin> {
        self.diagnosis()?.origin(pass)
    }
}

/// A learner's weights, their averages, and the running statistics of batch normalisation that go with them.
pub trait WeightAccess {
    /// Takes the weights, as they are now, into one of the averages that the settings ask for. [`Learner::export`] has those
    /// too.
    ///
    /// # Errors
    /// [`LearnerError::NoAverages`], when it keeps none such; [`LearnerError`], when the backend fails.
    fn add_to_average(&mut self, which: Which) -> Result<(), LearnerError>;

    /// One of those averages; `None` before any weights were taken into it.
    ///
    /// # Errors
    /// As [`WeightAccess::add_to_average`].
    fn average(&mut self, which: Which) -> Result<Option<Averaged>, LearnerError>;

    /// The weights, tensor by tensor in the order of [`Learner::export`].
    ///
    /// # Errors
    /// [`LearnerError`], when the backend fails.
    fn parameters(&mut self) -> Result<Cow<'_, [f32]>, LearnerError>;

    /// The running statistics of batch normalisation, in that order.
    ///
    /// # Errors
    /// As [`WeightAccess::parameters`].
    fn statistics(&mut self) -> Result<Cow<'_, [f32]>, LearnerError>;

    /// Replaces weights and running statistics by others of the same lengths; the optimizer's state stays.
    ///
    /// # Errors
    /// As [`WeightAccess::parameters`].
    fn set_parameters(&mut self, parameters: &[f32], statistics: &[f32]) -> Result<(), LearnerError>;

    /// What the running statistics would follow on a batch, at most as large as a step's: its means and unbiased
    /// variances. Nothing is changed.
    ///
    /// # Errors
    /// As [`WeightAccess::parameters`].
    fn measure(&mut self, batch: Batch<'_>) -> Result<Vec<f32>, LearnerError>;

    /// From now on batch normalisation normalises by its running statistics in training too, and they stay as they are:
    /// as the paper fine-tunes (section 3.2).
    ///
    /// # Errors
    /// [`LearnerError::Backend`], when the backend cannot.
    fn freeze_statistics(&mut self) -> Result<(), LearnerError>;
}

/// What a learner can tell about its computations.
pub trait Diagnosis {
    /// Where the latest step met a number that is not finite in `pass`, if it can tell. Asked right after a step that
    /// ended so; may be slow.
    fn origin(&self, pass: Pass) -> Option<Origin>;

    /// Which kernels compute the network's products; nothing where there is no choice.
    fn kernels(&self) -> ChosenKernels;
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
    pub augmentation: Augmentation,
    /// The run's: with the epoch and an image's number it says how.
    pub seed: u64,
    /// Images in the largest batch.
    pub batch: usize,
}

/// Some of the training images.
#[derive(Debug, Clone)]
pub struct Chosen<'a> {
    /// The epoch.
    pub epoch: u64,
    /// The order of the images in that epoch, the same for all its steps.
    pub order: &'a [usize],
    /// How many of them, from the first on, the steps of the epoch take.
    pub taken: usize,
    /// Where in it the batch lies.
    pub range: Range<usize>,
}

impl Chosen<'_> {
    /// A number that no other step of the run has, whatever the sizes of batches were before: the epoch in its upper half, the
    /// place in the order in its lower.
    pub const fn number(&self) -> u64 {
        self.epoch << 32 | self.range.start as u64
    }
}

/// What a rank tells the others with a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Word {
    /// Nothing.
    #[default]
    Nothing,
    /// It was asked to stop: all of them stop after this step.
    Stop,
    /// It cannot go on: the step comes to nothing, on all of them.
    Failed,
}

/// A step on images that the learner does not have.
#[derive(Debug, thiserror::Error)]
#[error("expected the training images to be set before a step on some of them, found none")]
struct NoImages;

/// What a step did.
#[derive(Debug, Clone, Copy)]
pub struct StepReport {
    /// Mean loss on the batch at the weights before the step.
    pub loss: f64,
    /// Whether the weights were changed, and if not, why.
    pub outcome: Outcome,
    /// The part of the step spent in computing gradients, with the norm where that is accumulated along.
    pub in_gradients: Duration,
    /// The part spent in waiting for the batch.
    pub in_batch: Duration,
    /// What else is known of it.
    pub figures: StepFigures,
}

/// What a step may tell beyond its loss: nothing where the method or the backend does not come by it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepFigures {
    /// Images that the network classified rightly at the weights before the step, as they were trained on.
    pub hits: Option<usize>,
    /// The Euclidean norm of the gradient there.
    pub gradient_norm: Option<f64>,
    /// Mean loss where the perturbed gradient was taken.
    pub perturbed_loss: Option<f64>,
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
    /// A step was given up in its middle, because the work shall stop.
    #[error("interrupted between the gradients of a step, which is undone")]
    Interrupted,
    /// A state of something else.
    #[error(transparent)]
    State(#[from] StateMismatch),
    /// Training images could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Another rank has failed.
    #[error(transparent)]
    Peer(#[from] PeerFailed),
}

impl LearnerError {
    /// Wraps a backend's error.
    pub fn backend(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Backend(Box::new(error))
    }
}
