//! The training loop, one step at a time.

mod evaluation;
mod saving;
mod together;

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use sam_core::{Outcome, schedule::Schedule};

use super::{
    ascent::AscentSettings,
    average::Which,
    batch_sizes::Timetable,
    checkpoint::{CheckpointError, RunPosition},
    data_facts::DataFacts,
    history::History,
    learner::{Chosen, Learner, LearnerError, TrainingImages},
    metrics::{EpochMetrics, EpochSums},
    nonfinite::NonFinite,
    settings::{InvalidSetting, Settings},
};
use crate::{
    data::{BatchMaker, DataError, Dataset, NoisyLabels, Pixels, epoch_order, replace_at_random},
    interrupt::Interrupt,
    ranks::{
        Ranks,
        agreement::{PeerFailed, agreed},
    },
};

/// A run goes back so many times at most: then its rate is a thousandth.
const MOST_ROLLBACKS: u32 = 10;
/// So many steps in a row are left out at most, fewer where an epoch has fewer.
const MOST_SKIPS: usize = 10;

/// Images evaluated at a time, at least.
const EVALUATED_AT_ONCE: usize = 256;

/// A run in progress: settings, data, a learner, and where it stands.
pub struct Trainer<'a> {
    settings: &'a Settings,
    dataset: &'a Dataset,
    learner: Box<dyn Learner + 'a>,
    /// The learner's.
    ranks: Rc<dyn Ranks>,
    /// Shows the test set.
    images: BatchMaker,
    labels: NoisyLabels,
    rates: Schedule<f32>,
    timetable: Timetable,
    position: RunPosition,
    history: History,
    /// The order of the images in the current epoch.
    order: Vec<usize>,
}

/// What a step took.
#[derive(Debug, Clone, Copy)]
pub struct StepTime {
    /// The learner's whole step, but for the time that it waited for the batch.
    pub step: Duration,
    /// Its gradients, as [`StepReport::in_gradients`](crate::training::learner::StepReport::in_gradients).
    pub in_gradients: Duration,
}

/// Why training cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// A step needs more images than there are.
    #[error("`batch` {batch}: expected at most the {images} training images; choose a smaller batch")]
    Batch {
        /// Images a step.
        batch: usize,
        /// Training images.
        images: usize,
    },
    /// A setting has no meaning for these images.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// A loss or its gradient is not finite.
    #[error("{0}: lower `lr` or `rho`, add `warmup-epochs`, or choose `on-nonfinite` skip or rollback")]
    NonFinite(Box<NonFinite>),
    /// Leaving out batches has not helped.
    #[error(
        "{last}: the last {count} steps were all left out; choose `on-nonfinite` rollback or lower `lr` or `rho`"
    )]
    OnlySkips {
        /// The last of them.
        last: Box<NonFinite>,
        /// Steps in a row.
        count: usize,
    },
    /// Lower rates have not helped.
    #[error(
        "{last}: going back {count} times, each time at half the rate, has not helped; check data and model"
    )]
    RolledBack {
        /// What was found the last time.
        last: Box<NonFinite>,
        /// How often.
        count: u32,
    },
    /// Images left in their file could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The backend failed.
    #[error(transparent)]
    Learner(#[from] LearnerError),
    /// A checkpoint could not be written or used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Ranks that should do the same do not.
    #[error(
        "rank {rank}: expected {what} of rank 0, found others; start all ranks alike, with the same program and data"
    )]
    Apart {
        /// Which one.
        rank: usize,
        /// What they should have in common.
        what: &'static str,
    },
}

impl From<PeerFailed> for TrainingError {
    fn from(error: PeerFailed) -> Self {
        Self::Learner(error.into())
    }
}

impl TrainingError {
    /// Whether a step was given up because the work shall stop.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Learner(LearnerError::Interrupted))
    }
}

/// Makes sure that there is one whole batch of training images.
///
/// # Errors
/// [`TrainingError::Batch`] if not, [`TrainingError::Setting`] where images cannot be changed or standardised as the settings say.
pub fn check_batch(settings: &Settings, dataset: &Dataset) -> Result<(), TrainingError> {
    let pictures = matches!(dataset.train.pixels, Pixels::Pictures(_));
    settings.data.augmentation().check_images(dataset.shape, pictures).map_err(InvalidSetting::from)?;
    dataset.scale.check(dataset.shape).map_err(InvalidSetting::from)?;
    let (batch, images) = (settings.batch.largest(), dataset.train.len());
    if batch > images { Err(TrainingError::Batch { batch, images }) } else { Ok(()) }
}

impl<'a> Trainer<'a> {
    /// A run at its start. `fingerprint` is the data set's.
    ///
    /// # Errors
    /// [`TrainingError::Batch`], when there is not one whole batch; [`TrainingError::Data`]; [`TrainingError::Learner`],
    /// when the backend fails; [`TrainingError::Apart`], on several ranks, which come here together.
    pub fn new(
        settings: &'a Settings,
        dataset: &'a Dataset,
        fingerprint: &str,
        learner: Box<dyn Learner + 'a>,
    ) -> Result<Self, TrainingError> {
        let ranks = learner.ranks();
        let trainer = agreed(&*ranks, Self::of_one_rank(settings, dataset, fingerprint, learner))?;
        trainer.check_common_run()?;
        Ok(trainer)
    }

    fn of_one_rank(
        settings: &'a Settings,
        dataset: &'a Dataset,
        fingerprint: &str,
        mut learner: Box<dyn Learner + 'a>,
    ) -> Result<Self, TrainingError> {
        check_batch(settings, dataset)?;
        let (batch, images) = (settings.batch.largest(), dataset.train.len());
        let timetable = Timetable::new(settings, images);
        let mut position = RunPosition::start(settings, fingerprint);
        let noise = settings.data.label_noise;
        let images_shown = BatchMaker::new(dataset, batch.max(EVALUATED_AT_ONCE))?;
        let labels = replace_at_random(&dataset.train.labels, dataset.classes, noise, settings.seed);
        position.arithmetic = Some(learner.arithmetic());
        position.facts = Some(DataFacts::of(dataset, images_shown.standardizer()));
        learner.set_images(&TrainingImages {
            pixels: &dataset.train.pixels,
            labels: &labels.labels,
            shape: dataset.shape,
            standardizer: images_shown.standardizer(),
            augmentation: settings.data.augmentation(),
            seed: settings.seed,
            batch,
        })?;
        Ok(Self {
            settings,
            dataset,
            ranks: learner.ranks(),
            learner,
            images: images_shown,
            labels,
            rates: settings.schedule.rates(
                settings.sgd.lr,
                timetable.total() as u64,
                timetable.before(settings.schedule.warmup_epochs) as u64,
            ),
            timetable,
            order: epoch_order(settings.seed, 0, images),
            position,
            history: History::default(),
        })
    }

    /// Whether all epochs are done.
    pub fn finished(&self) -> bool {
        self.epoch() >= self.settings.epochs || self.stalled()
    }

    /// Whether so many epochs as the settings' patience have gone by without a lower error.
    pub fn stalled(&self) -> bool {
        let best = self.best().map_or(self.epoch(), |best| best.epoch);
        self.settings.patience.is_some_and(|patience| self.epoch() - best.min(self.epoch()) >= patience)
    }

    /// The epoch with the lowest error among those whose figures are known; the first of equals.
    pub fn best(&self) -> Option<&EpochMetrics> {
        let error = |metrics: &&EpochMetrics| metrics.test_error.filter(|error| error.is_finite());
        let known = self.history.epochs().iter().filter(|metrics| error(metrics).is_some());
        known.min_by(|a, b| error(a).partial_cmp(&error(b)).unwrap_or(std::cmp::Ordering::Equal))
    }

    /// Whether all steps of the current epoch are done, so that [`Trainer::end_epoch`] is next.
    pub fn at_epoch_end(&self) -> bool {
        self.position.step == self.epoch_steps()
    }

    /// Whether no step of the current epoch is done.
    pub const fn at_epoch_start(&self) -> bool {
        self.position.step == 0
    }

    /// Epochs completed.
    pub fn epoch(&self) -> usize {
        self.position.epochs
    }

    /// What the completed epochs gave, but for those whose figures were lost.
    pub fn history(&self) -> &[EpochMetrics] {
        self.history.epochs()
    }

    /// Steps completed since the start of the run.
    pub fn steps_done(&self) -> usize {
        self.timetable.before(self.epoch()) + self.position.step
    }

    /// Steps of the whole run.
    pub fn total_steps(&self) -> usize {
        self.timetable.total()
    }

    /// Steps in the current epoch.
    fn epoch_steps(&self) -> usize {
        self.timetable.steps(self.epoch())
    }

    /// How many training labels are wrong.
    pub fn wrong_labels(&self) -> usize {
        self.labels.wrong
    }

    /// What the steps before the latest checkpoint taken were computed with, where that is not what the next ones are.
    pub fn other_arithmetic(&self) -> Option<(&str, String)> {
        let now = self.learner.arithmetic();
        let before = self.position.arithmetic.as_deref().filter(|&before| before != now)?;
        Some((before, now))
    }

    /// The learner.
    pub fn learner(&self) -> &(dyn Learner + 'a) {
        &*self.learner
    }

    /// Lets a step be given up between two of its gradients, when `interrupt` is requested.
    pub fn watch(&mut self, interrupt: &Interrupt) {
        self.learner.watch(interrupt);
    }

    /// Makes the next step of the current epoch.
    ///
    /// # Errors
    /// [`TrainingError::NonFinite`], [`TrainingError::Data`], or [`TrainingError::Learner`], when the backend fails or the step was
    /// given up; the run stands where it stood.
    pub fn step(&mut self) -> Result<StepTime, TrainingError> {
        let (epoch, step) = (self.epoch(), self.position.step);
        let rate = self.rate(self.steps_done());
        let started = Instant::now();
        let (range, taken) = (self.timetable.range(epoch, step), self.timetable.taken(epoch));
        if !self.settings.ascent.is_constant() {
            let share = self.radius_share();
            self.learner.set_radius(share);
        }
        let images = range.len();
        let chosen = Chosen { epoch: epoch as u64, order: &self.order, taken, range };
        let report = self.learner.step(chosen, rate)?;
        let whole = started.elapsed();
        let time =
            StepTime { step: whole.saturating_sub(report.in_batch), in_gradients: report.in_gradients };
        if let Outcome::NonFinite(pass) = report.outcome {
            return Err(TrainingError::NonFinite(Box::new(NonFinite {
                epoch: epoch + 1,
                step: step + 1,
                pass: Some(pass),
                loss: Some(report.loss),
                lr: rate,
                origin: self.origin(pass),
            })));
        }
        if self.settings.average.wants(Which::Ema) {
            self.learner.weight_access()?.add_to_average(Which::Ema)?;
        }
        self.position.step += 1;
        self.position.skipped_in_a_row = 0;
        self.position.loss_sum += report.loss;
        self.position.sums.add(&report.figures, images, report.loss);
        self.position.seconds += started.elapsed().as_secs_f64();
        Ok(time)
    }

    /// Leaves out the next step of the current epoch, which gave `found`.
    ///
    /// # Errors
    /// [`TrainingError::OnlySkips`], when too many in a row were left out; the run stands where it stood.
    pub fn skip(&mut self, found: Box<NonFinite>) -> Result<(), TrainingError> {
        let count = self.position.skipped_in_a_row + 1;
        // So an epoch has at least one step that was made, and a mean loss.
        if count >= self.epoch_steps().min(MOST_SKIPS) {
            return Err(TrainingError::OnlySkips { last: found, count });
        }
        self.position.skipped_in_a_row = count;
        self.position.skipped += 1;
        self.position.step += 1;
        Ok(())
    }

    /// From here, where the run has gone back to for what was `found`, it goes on at half the learning rate. What is saved
    /// next remembers it.
    ///
    /// # Errors
    /// [`TrainingError::RolledBack`], when that was done too often.
    pub fn halve_rate(&mut self, found: Box<NonFinite>) -> Result<(), TrainingError> {
        let count = self.position.rollbacks;
        if count >= MOST_ROLLBACKS {
            return Err(TrainingError::RolledBack { last: found, count });
        }
        self.position.rollbacks = count + 1;
        Ok(())
    }

    /// Closes the epoch whose steps are all done; evaluates on the test set if `evaluate`.
    ///
    /// # Errors
    /// [`TrainingError::Learner`], when the evaluation fails.
    pub fn end_epoch(&mut self, evaluate: bool) -> Result<EpochMetrics, TrainingError> {
        self.check_common_weights()?;
        let epoch = self.epoch() + 1;
        if self.settings.average.swa_from.is_some_and(|from| from <= epoch) {
            self.learner.weight_access()?.add_to_average(Which::Swa)?;
        }
        let (test, ema, swa) = match evaluate {
            true => (Some(self.evaluate_test()?), self.evaluate_ema()?, self.evaluate_swa()?),
            false => (None, None, None),
        };
        let steps = self.position.step;
        let last_step = self.steps_done().saturating_sub(1);
        let RunPosition { loss_sum, seconds, skipped, sums, .. } = self.position;
        let metrics = EpochMetrics {
            epoch,
            train_loss: loss_sum / (steps - skipped) as f64,
            train_error: sums.train_error(),
            gradient_norm: sums.gradient_norm(),
            sharpness: sums.sharpness(),
            skipped,
            test_loss: test.map(|test| test.loss),
            test_error: test.map(|test| test.error_percent()),
            ema_test_loss: ema.map(|test| test.loss),
            ema_test_error: ema.map(|test| test.error_percent()),
            swa_test_loss: swa.map(|test| test.loss),
            swa_test_error: swa.map(|test| test.error_percent()),
            lr: self.rate(last_step),
            images_per_s: per_second(self.timetable.taken(epoch - 1), seconds),
            seconds: Some(seconds).filter(|seconds| seconds.is_finite()),
        };
        self.history.push(metrics);
        (self.position.epochs, self.position.last) = (epoch, Some(metrics));
        (self.position.step, self.position.skipped) = (0, 0);
        (self.position.loss_sum, self.position.seconds) = (0.0, 0.0);
        self.position.sums = EpochSums::default();
        self.order = self.epoch_order();
        Ok(metrics)
    }

    /// The learning rate of a step, counted from the start of the run; a power of two times the schedule's.
    fn rate(&self, step: usize) -> f32 {
        let scheduled = self.rates.rate(step as u64, self.timetable.total() as u64);
        scheduled * 0.5_f32.powi(self.position.rollbacks as i32)
    }

    /// The share of the method's radius that the next step climbs by, if it climbs.
    fn radius_share(&self) -> Option<f32> {
        let AscentSettings { from_epoch, warmup_epochs, .. } = self.settings.ascent;
        let before = |epoch| self.timetable.before(epoch) as u64;
        let start = before(from_epoch - 1);
        let warmup = before(from_epoch - 1 + warmup_epochs) - start;
        let (step, total) = (self.steps_done() as u64, self.timetable.total() as u64);
        let rate = self.rates.rate(step, total) / self.settings.sgd.lr as f32;
        self.settings.ascent.share(step, start, warmup, total, if rate.is_finite() { rate } else { 0.0 })
    }

    fn epoch_order(&self) -> Vec<usize> {
        epoch_order(self.settings.seed, self.epoch() as u64, self.dataset.train.len())
    }
}

/// So many images a second; nothing where the clock stood still.
fn per_second(images: usize, seconds: f64) -> Option<f64> {
    Some(images as f64 / seconds).filter(|rate| rate.is_finite())
}
