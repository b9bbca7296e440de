//! Time of an SGD step and of a SAM step on the same network.

use std::time::{Duration, Instant};

use ndarray::Array4;
use rand::RngExt;
use sam_core::Outcome;
use sam_model::ImageShape;
use serde::Serialize;

use super::{
    ExperimentError,
    disturbance::{Disturbance, Watch},
};
use crate::{
    observer::Host,
    random::{Purpose, stream},
    ranks::{Alone, Ranks, agreement::agreed, timed::Timed},
    report::statistics::median,
    training::{
        learner::{Batch, Diagnosis, Learner, LearnerError},
        nonfinite::NonFinite,
        settings::{Method, Settings},
        trainer::TrainingError,
    },
};

/// Classes of the network.
pub const CLASSES: usize = 10;
/// Fewest timed steps of each kind.
pub const FEWEST_STEPS: usize = 9;
/// Most of them: times are kept until the end.
pub const MOST_STEPS: usize = 1_000_000;
/// Steps of each kind before the timed ones: pages, caches and threads come to life.
const WARM_UP_STEPS: usize = 3;

/// The line of `sam bench --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchResult {
    kind: &'static str,
    /// The network.
    pub model: String,
    /// Images a step.
    pub batch: usize,
    /// Threads that compute.
    pub threads: usize,
    /// Trained parameters.
    pub params: usize,
    /// Timed steps of each kind.
    pub steps: usize,
    /// Median time of an SGD step, in ms.
    pub sgd_ms: f64,
    /// Median time of a SAM step, in ms.
    pub sam_ms: f64,
    /// Images a second with SGD.
    pub sgd_images_per_s: f64,
    /// Images a second with SAM.
    pub sam_images_per_s: f64,
    /// Median of the ratio of a SAM step's time to that of the SGD step just before it: a machine that gets slower in
    /// between changes it less than it changes `sam_ms / sgd_ms`.
    pub sam_over_sgd: f64,
    /// Median share of the SAM step that is not its two gradients. On a CPU the norm is accumulated with the first.
    pub outside_gradients: f64,
    /// What ranks told each other, where there are several.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub communication: Option<Communication>,
    /// Whether the machine did something else meanwhile; the quartiles are of SAM's time over SGD's.
    #[serde(flatten)]
    pub disturbance: Disturbance,
    /// Products that NVIDIA's kernels compute, on a GPU.
    pub vendor_kernels: usize,
    /// Whose kernel computes each product, and why; nothing where there is no choice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernels: Vec<String>,
}

/// What of the steps is communication.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Communication {
    /// Ranks that share the batch out.
    pub ranks: usize,
    /// Groups that it is in.
    pub groups: usize,
    /// Median share of the SGD step that the first rank was in calls of the others, and waited for them.
    pub sgd_communication: f64,
    /// The same of the SAM step.
    pub sam_communication: f64,
}

/// What is timed.
#[derive(Debug, Clone)]
pub struct Bench {
    /// Network, batch and SAM's rule; the data set plays no part.
    pub settings: Settings,
    /// The size of the images, which are random.
    pub shape: ImageShape,
    /// How long it is timed.
    pub length: Length,
    /// Threads that compute.
    pub threads: usize,
}

/// When timing ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Length {
    /// After so many steps of each kind.
    Steps(usize),
    /// After this time, but not before [`FEWEST_STEPS`] of each kind.
    Time(Duration),
}

impl Length {
    /// Whether it is over after so many steps of each kind and this time.
    fn is_over(self, steps: usize, time: Duration) -> bool {
        match self {
            Self::Steps(all) => steps >= all,
            Self::Time(all) => steps >= MOST_STEPS || steps >= FEWEST_STEPS && time >= all,
        }
    }

    /// Steps or milliseconds, for whoever follows.
    fn units(self) -> u64 {
        match self {
            Self::Steps(all) => all as u64,
            Self::Time(all) => all.as_millis() as u64,
        }
    }
}

impl Bench {
    /// Makes SGD and SAM steps in turn, so that whatever else the machine does falls on both.
    ///
    /// # Errors
    /// [`ExperimentError`], when the network cannot be built or a step fails, or after an interrupt.
    pub fn run(
        &self,
        host: Host<'_>,
        learner: impl Fn(&Settings) -> Result<Box<dyn Learner>, LearnerError>,
    ) -> Result<BenchResult, ExperimentError> {
        self.run_on(&Timed::new(Alone::shared()), host, learner)
    }

    /// The same with learners that share steps out among these `ranks`, all of which come here together. Times are this rank's; when
    /// the first has enough of them, all end.
    ///
    /// # Errors
    /// As [`Bench::run`], on all ranks; [`ExperimentError::Peer`], where another has failed.
    pub fn run_on(
        &self,
        ranks: &Timed,
        host: Host<'_>,
        learner: impl Fn(&Settings) -> Result<Box<dyn Learner>, LearnerError>,
    ) -> Result<BenchResult, ExperimentError> {
        let settings = &self.settings;
        let sgd = learner(&Settings { method: Method::Sgd, ..settings.clone() });
        let both = sgd.and_then(|sgd| Ok((sgd, learner(settings)?)));
        let (mut sgd, mut sam) = agreed(ranks, both.map_err(ExperimentError::from))?;
        let (images, labels) = self.batch();
        let batch = Batch { images: images.view(), labels: &labels };
        let rate = settings.sgd.lr as f32;
        let work =
            agreed(ranks, host.begin("timing", self.length.units(), 0).map_err(ExperimentError::from))?;
        let (mut sgd_ms, mut sam_ms, mut outside) = (Vec::new(), Vec::new(), Vec::new());
        let (mut sgd_talk, mut sam_talk) = (Vec::new(), Vec::new());
        let (mut watch, mut began, mut told) = (Watch::begin(), Instant::now(), 0);
        for step in 0.. {
            if step == WARM_UP_STEPS {
                (watch, began) = (Watch::begin(), Instant::now());
            }
            let time = began.elapsed();
            let is_over = step > WARM_UP_STEPS && self.length.is_over(sgd_ms.len(), time);
            let asked = host.interrupt.requested();
            let words = ranks.gather(&[u8::from(asked), u8::from(is_over)]);
            if words.iter().any(|word| word[0] == 1) {
                let done = "no result was kept".to_owned();
                return Err(ExperimentError::Interrupted { done, resumable: None });
            }
            if words[0][1] == 1 {
                break;
            }
            let sgd_time = timed_step(&mut *sgd, ranks, batch, rate, step + 1)?;
            let sam_time = timed_step(&mut *sam, ranks, batch, rate, step + 1)?;
            if step >= WARM_UP_STEPS {
                sgd_ms.push(1e3 * sgd_time.whole);
                sam_ms.push(1e3 * sam_time.whole);
                outside.push(1.0 - sam_time.in_gradients / sam_time.whole);
                sgd_talk.push(sgd_time.in_ranks / sgd_time.whole);
                sam_talk.push(sam_time.in_ranks / sam_time.whole);
                let done = match self.length {
                    Length::Steps(_) => sgd_ms.len() as u64,
                    Length::Time(all) => began.elapsed().min(all).as_millis() as u64,
                };
                agreed(ranks, work.advance(done - told).map_err(ExperimentError::from))?;
                told = done;
            }
        }
        let disturbance = watch.end(&ratios(&sam_ms, &sgd_ms));
        let steps = sgd_ms.len();
        let middle = |mut values: Vec<f64>| median(&mut values).unwrap_or(f64::NAN);
        let sam_over_sgd = middle(ratios(&sam_ms, &sgd_ms));
        let (sgd_ms, sam_ms) = (middle(sgd_ms), middle(sam_ms));
        let chosen = sam.diagnosis().map(Diagnosis::kernels).unwrap_or_default();
        let images_per_s = |ms: f64| settings.batch.largest() as f64 / ms * 1e3;
        Ok(BenchResult {
            kind: "bench",
            model: settings.model.to_string(),
            batch: settings.batch.largest(),
            threads: self.threads,
            params: sam.parameter_count(),
            steps,
            sgd_ms,
            sam_ms,
            sgd_images_per_s: images_per_s(sgd_ms),
            sam_images_per_s: images_per_s(sam_ms),
            sam_over_sgd,
            outside_gradients: middle(outside),
            communication: (ranks.size() > 1).then(|| Communication {
                ranks: ranks.size(),
                groups: settings.groups.unwrap_or(1),
                sgd_communication: middle(sgd_talk),
                sam_communication: middle(sam_talk),
            }),
            disturbance,
            vendor_kernels: chosen.vendor,
            kernels: chosen.products,
        })
    }

    /// Images of uniform noise with mean 0 and variance 1, and labels that have nothing to do with them.
    fn batch(&self) -> (Array4<f32>, Vec<u16>) {
        let mut random = stream(self.settings.seed, Purpose::BenchBatch, 0, 0);
        let ImageShape { height, width, channels } = self.shape;
        let images =
            Array4::from_shape_simple_fn((self.settings.batch.largest(), height, width, channels), || {
                (random.random::<f32>() - 0.5) * 12_f32.sqrt()
            });
        let labels =
            (0..self.settings.batch.largest()).map(|_| random.random_range(0..CLASSES as u16)).collect();
        (images, labels)
    }
}

/// Each time divided by the one that was taken beside it.
fn ratios(of: &[f64], to: &[f64]) -> Vec<f64> {
    of.iter().zip(to).map(|(of, to)| of / to).collect()
}

/// Seconds of a step.
struct StepSeconds {
    whole: f64,
    in_gradients: f64,
    /// In calls of other ranks, which may be within gradients.
    in_ranks: f64,
}

/// Makes a step.
///
/// # Errors
/// [`ExperimentError`], when the backend fails or the step comes to nothing: its time would be another's.
fn timed_step(
    learner: &mut dyn Learner,
    ranks: &Timed,
    batch: Batch<'_>,
    rate: f32,
    step: usize,
) -> Result<StepSeconds, ExperimentError> {
    let (started, before) = (Instant::now(), ranks.spent());
    let report = learner.step_on(batch, rate)?;
    if let Outcome::NonFinite(pass) = report.outcome {
        let (loss, origin) = (Some(report.loss), learner.origin(pass));
        let found = NonFinite { epoch: 1, step, pass: Some(pass), loss, lr: rate, origin };
        return Err(TrainingError::NonFinite(Box::new(found)).into());
    }
    Ok(StepSeconds {
        whole: started.elapsed().as_secs_f64(),
        in_gradients: report.in_gradients.as_secs_f64(),
        in_ranks: ranks.spent().saturating_sub(before).as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc, thread, time::Duration};

    use sam_core::Norm;
    use sam_model::Evaluation;

    use super::*;
    use crate::{
        data::DataSource,
        interrupt::Interrupt,
        training::{
            host_batches::HostBatches,
            learner::StepReport,
            settings::{NormExponent, ScheduleSettings, ScheduleShape, SgdSettings},
            state::State,
        },
    };

    /// Sleeps for a known time, four fifths of which it calls gradients, and writes down that it was called.
    struct Sleeper {
        name: &'static str,
        time: Duration,
        calls: Rc<RefCell<Vec<&'static str>>>,
        batches: Option<HostBatches>,
    }

    impl Learner for Sleeper {
        fn batches(&mut self) -> &mut Option<HostBatches> {
            &mut self.batches
        }

        fn step_on(&mut self, _: Batch<'_>, _: f32) -> Result<StepReport, LearnerError> {
            self.calls.borrow_mut().push(self.name);
            thread::sleep(self.time);
            Ok(StepReport {
                loss: 0.0,
                outcome: Outcome::Descended,
                in_gradients: self.time * 4 / 5,
                in_batch: Duration::ZERO,
                figures: Default::default(),
            })
        }

        fn evaluate(&mut self, _: Batch<'_>) -> Result<Evaluation, LearnerError> {
            Ok(Evaluation::default())
        }

        fn export(&mut self) -> Result<State, LearnerError> {
            Ok(State::default())
        }

        fn import(&mut self, _: &State) -> Result<(), LearnerError> {
            Ok(())
        }

        fn arithmetic(&self) -> String {
            "numbers of a test".to_owned()
        }

        fn parameter_count(&self) -> usize {
            7
        }
    }

    #[test]
    fn a_machine_that_gets_slower_in_between_does_not_change_the_ratio() {
        let (sgd, sam) = ([1.0, 1.0, 1.0, 3.0, 3.0], [2.0, 2.0, 6.0, 6.0, 6.0]);
        let [mut ratios, mut sgd, mut sam] = [ratios(&sam, &sgd), sgd.to_vec(), sam.to_vec()];
        assert_eq!(median(&mut ratios), Some(2.0));
        assert_eq!((median(&mut sgd), median(&mut sam)), (Some(1.0), Some(6.0)), "medians alone say 6");
    }

    #[test]
    fn known_times_are_measured_in_turn_and_attributed_to_the_right_method() {
        let sam = Method::Sam { rho: 0.1, norm: NormExponent(Norm::L2) };
        let bench = Bench {
            settings: Settings {
                epochs: 1,
                batch: 4.into(),
                sgd: SgdSettings {
                    momentum: 0.0,
                    nesterov: false,
                    weight_decay: 0.0,
                    ..SgdSettings::new(0.0)
                },
                schedule: ScheduleSettings { shape: ScheduleShape::Constant, warmup_epochs: 0 },
                ..Settings::new("mlp-2".parse().unwrap(), DataSource::Digits, sam)
            },
            shape: ImageShape::new(2, 2, 1),
            length: Length::Steps(FEWEST_STEPS),
            threads: 1,
        };
        let calls = Rc::new(RefCell::new(Vec::new()));
        let learner = |settings: &Settings| {
            let milliseconds = if settings.method == Method::Sgd { 5 } else { 50 };
            Ok(Box::new(Sleeper {
                name: settings.method.name(),
                time: Duration::from_millis(milliseconds),
                calls: Rc::clone(&calls),
                batches: None,
            }) as Box<dyn Learner>)
        };
        let result = bench.run(Host::quiet(&Interrupt::default()), learner).unwrap();
        assert_eq!(*calls.borrow(), ["sgd", "sam"].repeat(WARM_UP_STEPS + FEWEST_STEPS));
        // Sleeping takes as long as it is told or, on a busy machine, longer.
        assert!((5.0..25.0).contains(&result.sgd_ms), "{result:?}");
        assert!((50.0..100.0).contains(&result.sam_ms), "{result:?}");
        assert!((2.0..=20.0).contains(&result.sam_over_sgd), "{result:?}");
        assert!((0.2..0.6).contains(&result.outside_gradients), "{result:?}");
        assert_eq!((result.params, result.batch, result.steps), (7, 4, FEWEST_STEPS));
        // A time that is over before the fewest steps.
        let short = Bench { length: Length::Time(Duration::from_millis(100)), ..bench };
        assert_eq!(short.run(Host::quiet(&Interrupt::default()), learner).unwrap().steps, FEWEST_STEPS);
    }

    #[test]
    fn timing_ends_by_steps_or_by_time() {
        let second = Duration::from_secs(1);
        let over =
            |length: Length| [(8, second), (9, second), (9, second / 2)].map(|(n, t)| length.is_over(n, t));
        assert_eq!(over(Length::Steps(9)), [false, true, true]);
        assert_eq!(over(Length::Time(second)), [false, true, false]);
        assert!(Length::Time(second).is_over(MOST_STEPS, Duration::ZERO));
    }
}
