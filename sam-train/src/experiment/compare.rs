//! SGD against SAM: the same networks on the same data, several seeds, clean and noisy labels.

pub mod summary;
pub mod table;

use super::{
    ExperimentError,
    findings::{Drawing, Findings, Picture, Subject},
    run_store::FinishedRun,
    runner::{ExperimentDirectory, Job, LoadedData, Runner},
    shared::Shared,
};
use crate::{
    data::Dataset,
    observer::Host,
    training::{
        learner::{Learner, LearnerError},
        settings::{Method, Settings},
    },
};
use summary::{Arm, Summary, Varied};

/// What is compared.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The SAM run of the first seed for each network and augmentation; all other runs differ from one of them in seed,
    /// label noise, method and epochs only.
    pub bases: Vec<Settings>,
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

/// The name in commands and files.
pub const NAME: &str = "compare";
/// What of the paper it repeats.
pub const PAPER: &str = "Tables 1 and 5, section 3.1";

impl Comparison {
    /// The training procedures that are compared on one of the bases.
    fn arms(&self, base: &Settings) -> Vec<Arm> {
        let arm = |method, epochs| Arm { method, base: base.base, epochs };
        let mut arms = vec![arm(Method::Sgd, base.epochs)];
        if self.sgd_epochs != 0 && self.sgd_epochs != base.epochs {
            arms.push(arm(Method::Sgd, self.sgd_epochs));
        }
        arms.push(arm(base.method, base.epochs));
        arms
    }

    /// How many runs there are in all.
    pub fn runs(&self) -> usize {
        self.all_settings().count()
    }

    /// The settings of one run; `seed` counts from 0.
    fn settings(base: &Settings, arm: &Arm, noise: f64, seed: usize) -> Settings {
        let mut settings = base.clone();
        settings.seed += seed as u64;
        settings.data.label_noise = noise;
        settings.method = arm.method;
        settings.epochs = arm.epochs;
        settings
    }

    /// Makes the runs that `directory` does not have yet, and sums up each base at each noise rate.
    ///
    /// `learner` makes the learner of a run. When the host wants to stop, runs under way are kept as checkpoints.
    ///
    /// # Errors
    /// [`ExperimentError::Interrupted`] after an interrupt, [`ExperimentError`] when a run or a file fails; all
    /// finished runs are kept.
    pub fn run(
        &self,
        directory: &ExperimentDirectory,
        dataset: &Dataset,
        host: Host<'_>,
        learner: impl Fn(&Settings) -> Result<Box<dyn Learner>, LearnerError> + Sync,
    ) -> Result<Vec<Summary>, ExperimentError> {
        self.run_on(&Shared::alone(), directory, dataset, host, learner)
    }

    /// The same on ranks that share out the runs, all of which come here together, each with a directory of its own.
    ///
    /// # Errors
    /// As [`Comparison::run`], on all ranks; [`ExperimentError::Peer`], where another has failed.
    pub fn run_on(
        &self,
        shared: &Shared,
        directory: &ExperimentDirectory,
        dataset: &Dataset,
        host: Host<'_>,
        learner: impl Fn(&Settings) -> Result<Box<dyn Learner>, LearnerError> + Sync,
    ) -> Result<Vec<Summary>, ExperimentError> {
        // A network that does not fit the images is found out before anything is written.
        let fits = self.bases.iter().try_for_each(|base| learner(base).map(drop));
        shared.agreed(fits)?;
        let learner = |settings: &Settings, _: &Dataset| learner(settings);
        let data =
            shared.agreed(LoadedData::new(dataset.clone()))?.evaluated_on(self.bases[0].data.evaluated_on());
        let jobs: Vec<Job<'_>> = self.all_settings().map(|settings| Job::new(settings, &data)).collect();
        let (threads, every, directory) = (self.threads, self.evaluate_every, directory.clone());
        let mut runner = Runner::open_on(shared, directory, threads, every, host, &learner)?;
        let runs = runner.runs("comparing", &jobs)?;
        Ok(self.summaries(|settings| runs.iter().find(|run| run.settings == *settings).cloned()))
    }

    /// What its summaries say.
    pub fn findings(summaries: &[Summary]) -> Findings {
        let varied = Varied::among(summaries);
        let mut findings = Findings {
            tables: vec![table::of_comparison(summaries)],
            sentences: summaries.iter().map(|summary| summary.sentence(varied)).collect(),
            pictures: vec![Picture::new(NAME, Drawing::Comparison(summaries.to_vec()))],
            ..Findings::default()
        };
        summaries.iter().for_each(|summary| findings.line(summary));
        if let Some(recipe) = summaries.first().and_then(|summary| summary.recipe.as_ref()) {
            findings.follow(recipe);
        }
        findings
    }

    /// What it is about.
    pub fn subject(&self) -> Subject<'_> {
        let (settings, seeds, threads) = (&self.bases[0], self.seeds, self.threads);
        Subject { kind: NAME, paper: PAPER, settings, seeds, threads }
    }

    /// Every base at every noise rate.
    fn cases(&self) -> impl Iterator<Item = (&Settings, f64)> {
        self.bases.iter().flat_map(|base| self.noises.iter().map(move |&noise| (base, noise)))
    }

    /// The settings of every run. Runs of one seed are neighbours, so that what else the machine does falls on all
    /// arms alike.
    fn all_settings(&self) -> impl Iterator<Item = Settings> {
        let seeds = self.cases().flat_map(|case| (0..self.seeds).map(move |seed| (case, seed)));
        seeds.flat_map(|((base, noise), seed)| {
            self.arms(base).into_iter().map(move |arm| Self::settings(base, &arm, noise, seed))
        })
    }

    fn summaries(&self, run: impl Fn(&Settings) -> Option<FinishedRun>) -> Vec<Summary> {
        let summary = |(base, noise)| {
            let runs = |arm: &Arm| {
                (0..self.seeds).filter_map(|seed| run(&Self::settings(base, arm, noise, seed))).collect()
            };
            let arms = self.arms(base).into_iter().map(|arm| (arm, runs(&arm))).collect();
            Summary::new(base, noise, arms)
        };
        let mut summaries: Vec<Summary> = self.cases().map(summary).collect();
        Summary::judge_together(&mut summaries);
        summaries
    }
}
