//! SGD against SAM: the same network on the same data, several seeds, clean and noisy labels.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    ExperimentError, claim, queue,
    run_store::{RunRecord, RunStore, run_key},
    summary::{Arm, Summary},
};
use crate::{
    data::Dataset,
    files,
    interrupt::Interrupt,
    json,
    report::{
        compare_plot, counted,
        progress::{Progress, note},
        statistics::median,
    },
    training::{
        learner::{Learner, LearnerError},
        settings::{Method, Settings},
        trainer::Trainer,
    },
};

/// A run under way is saved at the end of an epoch when the last time is longer ago than this.
const SAVED_EVERY: Duration = Duration::from_secs(60);

/// What is compared.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The SAM run of the first seed; all other runs differ from it in seed, label noise, method and epochs only.
    pub base: Settings,
    /// Probabilities with which training labels are replaced.
    pub noises: Vec<f64>,
    /// How many seeds.
    pub seeds: usize,
    /// Epochs of the second SGD run; as in the paper, the better of both counts. 0 for none.
    pub sgd_epochs: usize,
    /// Epochs between two evaluations on the test set.
    pub evaluate_every: usize,
    /// Runs at a time, each on one thread.
    pub threads: usize,
}

/// The files of a comparison.
#[derive(Debug, Clone)]
pub struct ComparisonDirectory(pub PathBuf);

impl ComparisonDirectory {
    /// Finished runs.
    pub fn runs(&self) -> PathBuf {
        self.0.join("runs.jsonl")
    }

    /// Everything that came out.
    pub fn results(&self) -> PathBuf {
        self.0.join("results.json")
    }

    /// The picture.
    pub fn picture(&self) -> PathBuf {
        self.0.join("compare.svg")
    }

    fn unfinished_runs(&self) -> PathBuf {
        self.0.join("unfinished")
    }

    /// Where the run of that key stands, if it was interrupted.
    fn unfinished(&self, key: &str) -> PathBuf {
        self.unfinished_runs().join(format!("{}.safetensors", &key[..16]))
    }
}

/// The content of `results.json`.
#[derive(Serialize)]
struct Results<'a> {
    kind: &'static str,
    version: &'static str,
    threads: usize,
    /// Those of the SAM run of the first seed.
    settings: &'a Settings,
    label_noises: &'a [Summary],
}

struct Job {
    key: String,
    settings: Settings,
}

impl Comparison {
    /// The training procedures that are compared.
    pub fn arms(&self) -> Vec<Arm> {
        let arm = |method, epochs| Arm { method, epochs };
        let mut arms = vec![arm(Method::Sgd, self.base.epochs)];
        if self.sgd_epochs != 0 && self.sgd_epochs != self.base.epochs {
            arms.push(arm(Method::Sgd, self.sgd_epochs));
        }
        arms.push(arm(self.base.method, self.base.epochs));
        arms
    }

    /// How many runs there are in all.
    pub fn runs(&self) -> usize {
        self.noises.len() * self.seeds * self.arms().len()
    }

    /// The settings of one run; `seed` counts from 0.
    fn settings(&self, arm: &Arm, noise: f64, seed: usize) -> Settings {
        let mut settings = self.base.clone();
        settings.seed += seed as u64;
        settings.data.label_noise = noise;
        settings.method = arm.method;
        settings.epochs = arm.epochs;
        settings
    }

    /// Makes the runs that `directory` does not have yet, and sums up each noise rate; writes results and picture.
    ///
    /// `learner` makes the learner of a run. When `interrupt` is requested, runs under way are kept as checkpoints.
    ///
    /// # Errors
    /// [`ExperimentError::Interrupted`] after an interrupt, [`ExperimentError`] when a run or a file fails; all
    /// finished runs are kept.
    pub fn run<L: Learner>(
        &self,
        directory: &ComparisonDirectory,
        dataset: &Dataset,
        interrupt: &Interrupt,
        learner: impl Fn(&Settings) -> Result<L, LearnerError> + Sync,
    ) -> Result<Vec<Summary>, ExperimentError> {
        // A network that does not fit the images is found out before anything is written.
        drop(learner(&self.base)?);
        files::create_directory(&directory.0)?;
        let _lock = claim(&directory.0)?;
        files::create_directory(&directory.unfinished_runs())?;
        let mut store = RunStore::open(&directory.runs())?;
        let fingerprint = dataset.fingerprint();
        let key = |settings: &Settings| run_key(settings, &fingerprint, self.evaluate_every);

        let all: Vec<Job> = self.all_settings().map(|s| Job { key: key(&s), settings: s }).collect();
        let count = all.len();
        let jobs: Vec<Job> = all.into_iter().filter(|job| store.get(&job.key).is_none()).collect();
        let mut finished = count - jobs.len();
        if finished > 0 {
            let runs = directory.runs();
            let runs = runs.display();
            note(format_args!(
                "{finished} of {count} runs are taken from {runs}; another --out repeats them"
            ));
        }
        let gradients: usize = jobs.iter().map(|job| job.gradients(dataset)).sum();
        let progress = Progress::new("comparing", gradients as u64, 0);
        let make = |job: &Job| {
            let runner = Runner { job, directory, fingerprint: &fingerprint, progress: &progress, interrupt };
            runner.run(dataset, self.evaluate_every, learner(&job.settings)?).map_err(|error| match error {
                ExperimentError::Training(source) => {
                    ExperimentError::Run { run: run_name(&job.settings), source }
                }
                other => other,
            })
        };
        let keep = |job: &Job, record: RunRecord| {
            finished += 1;
            progress.line(run_line(finished, count, &record));
            store.add(record)?;
            // What is left of an earlier interruption; an absent file is the usual case.
            let _ = fs::remove_file(directory.unfinished(&job.key));
            Ok(())
        };
        let outcome = queue::run(&jobs, self.threads, interrupt, make, keep);
        drop(progress);
        outcome.map_err(|error| match error {
            ExperimentError::Interrupted { .. } => ExperimentError::Interrupted {
                done: format!("{finished} of {count} runs are kept, those under way as checkpoints"),
                advice: "the same command".to_owned(),
            },
            other => other,
        })?;
        let summaries = self.summaries(|settings| store.get(&key(settings)).cloned());
        files::replace(
            &directory.results(),
            format!("{}\n", json::line(&self.results(&summaries))).as_bytes(),
        )?;
        compare_plot::draw(&directory.picture(), &summaries)?;
        // Stays where it holds runs of other settings.
        let _ = fs::remove_dir(directory.unfinished_runs());
        Ok(summaries)
    }

    /// The settings of every run. Runs of one seed are neighbours, so that what else the machine does falls on all
    /// arms alike.
    fn all_settings(&self) -> impl Iterator<Item = Settings> {
        let seeds = self.noises.iter().flat_map(|&noise| (0..self.seeds).map(move |seed| (noise, seed)));
        seeds.flat_map(move |(noise, seed)| {
            self.arms().into_iter().map(move |arm| self.settings(&arm, noise, seed))
        })
    }

    fn summaries(&self, run: impl Fn(&Settings) -> Option<RunRecord>) -> Vec<Summary> {
        let summary = |noise| {
            let runs = |arm: &Arm| {
                (0..self.seeds).filter_map(|seed| run(&self.settings(arm, noise, seed))).collect()
            };
            let arms = self.arms().into_iter().map(|arm| (arm, runs(&arm))).collect();
            Summary::new(&self.base, noise, arms)
        };
        self.noises.iter().map(|&noise| summary(noise)).collect()
    }

    fn results<'a>(&'a self, label_noises: &'a [Summary]) -> Results<'a> {
        let version = env!("CARGO_PKG_VERSION");
        Results { kind: "compare", version, threads: self.threads, settings: &self.base, label_noises }
    }
}

impl Job {
    /// Gradients to compute.
    fn gradients(&self, dataset: &Dataset) -> usize {
        let Settings { epochs, batch, .. } = self.settings;
        dataset.train.len() / batch * epochs * self.settings.gradients_per_step()
    }
}

/// One run of a comparison.
struct Runner<'a> {
    job: &'a Job,
    directory: &'a ComparisonDirectory,
    fingerprint: &'a str,
    progress: &'a Progress,
    interrupt: &'a Interrupt,
}

impl Runner<'_> {
    fn run<L: Learner>(
        &self,
        dataset: &Dataset,
        evaluate_every: usize,
        learner: L,
    ) -> Result<RunRecord, ExperimentError> {
        let settings = &self.job.settings;
        let checkpoint = self.directory.unfinished(&self.job.key);
        let mut trainer = Trainer::new(settings, dataset, self.fingerprint, learner)?;
        if files::present(&checkpoint) {
            trainer.restore(&checkpoint)?;
        }
        let gradients = settings.gradients_per_step() as u64;
        self.progress.advance(trainer.steps_done() as u64 * gradients);
        let mut saved = Instant::now();
        let mut step_ms = Vec::new();
        while !trainer.finished() {
            if self.interrupt.requested() {
                trainer.save(&checkpoint)?;
                return Err(ExperimentError::Interrupted { done: String::new(), advice: String::new() });
            }
            step_ms.push(1e3 * trainer.step()?.step.as_secs_f64());
            self.progress.advance(gradients);
            if trainer.at_epoch_end() {
                let epoch = trainer.epoch() + 1;
                trainer.end_epoch(epoch % evaluate_every == 0 || epoch == settings.epochs)?;
                if saved.elapsed() > SAVED_EVERY {
                    trainer.save(&checkpoint)?;
                    saved = Instant::now();
                }
            }
        }
        let history = trainer.history();
        let curve: Vec<_> = history.iter().filter_map(|m| Some((m.epoch, m.test_error?))).collect();
        Ok(RunRecord {
            key: self.job.key.clone(),
            settings: settings.clone(),
            test_error: curve.last().map_or(f64::NAN, |&(_, error)| error),
            train_loss: history.last().map_or(f64::NAN, |metrics| metrics.train_loss),
            wrong_labels: trainer.wrong_labels() as f64 / dataset.train.len() as f64,
            ms_per_step: median(&mut step_ms).unwrap_or(f64::NAN),
            weights_sha256: trainer.state()?.weights_sha256(),
            curve,
        })
    }
}

/// A run for people.
fn run_name(settings: &Settings) -> String {
    let Settings { seed, epochs, method, data, .. } = settings;
    let (method, epochs) = (method.name().to_uppercase(), counted(*epochs, "epoch"));
    format!("{method}, {epochs}, label noise {}, seed {seed}", data.label_noise)
}

/// A finished run for people.
fn run_line(number: usize, of: usize, run: &RunRecord) -> String {
    let RunRecord { settings, test_error, ms_per_step, .. } = run;
    let name = run_name(settings);
    format!("run {number}/{of}: {name}: test error {test_error:.2} %, {ms_per_step:.3} ms a step")
}
