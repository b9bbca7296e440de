//! Training procedures side by side: each over the same seeds, summed up with intervals.

use serde::Serialize;

use super::{
    ExperimentError,
    design::Design,
    outcome::{self, Outcome},
    run_store::FinishedRun,
    runner::{Job, LoadedData, Runner},
};
use crate::{
    report::{
        counted,
        figure::{Point, Series, Style},
        statistics::Estimate,
        verdict::Difference,
    },
    training::settings::{Method, Settings},
};

/// A training procedure.
#[derive(Debug, Clone)]
pub struct Arm {
    /// Its name for people.
    pub name: String,
    /// The run of the first seed.
    pub settings: Settings,
}

/// What a procedure gave over all seeds; means are over the runs that have learnt.
#[derive(Debug, Clone, Serialize)]
pub struct ArmResult {
    /// Its name.
    pub name: String,
    /// Test errors after the last epoch.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The lowest test error of any epoch looked at, which no honest procedure could have chosen.
    pub best_error: Estimate,
    /// Mean training loss in the last epoch.
    pub train_loss: Estimate,
    /// Share of training labels that were wrong.
    pub wrong_labels: f64,
    /// Gradients of a batch that a step computes.
    pub gradients_per_step: f64,
    /// Time of a step in ms: the median over the steps of a run, in the run that was disturbed least.
    pub ms_per_step: f64,
    /// Test error along training: epoch and mean.
    pub curve: Vec<(usize, Estimate)>,
}

impl Arm {
    /// A procedure of `settings`.
    pub fn new(name: impl Into<String>, settings: Settings) -> Self {
        Self { name: name.into(), settings }
    }

    /// The procedure at its own length and, if it is not SAM, at `sgd_epochs` too, by a name that says so.
    pub fn lengths(&self, sgd_epochs: usize) -> Vec<Self> {
        let mut lengths = vec![self.clone()];
        let settings = &self.settings;
        let plain = matches!(settings.method, Method::Sgd | Method::Mixup { .. });
        if plain && sgd_epochs != 0 && sgd_epochs != settings.epochs {
            let name = format!("{}, {}", self.name, counted(sgd_epochs, "epoch"));
            lengths.push(Self::new(name, Settings { epochs: sgd_epochs, ..settings.clone() }));
        }
        lengths
    }

    /// The run of seed number `seed`, counted from 0.
    pub fn job<'a>(&self, seed: usize, data: &'a LoadedData) -> Job<'a> {
        let mut settings = self.settings.clone();
        settings.seed += seed as u64;
        Job::new(settings, data)
    }
}

/// The runs of all `arms`, seed by seed, whose states after `snapshots` epochs are kept. Runs of one seed are neighbours, so
/// that what else the machine does falls on all arms alike.
pub fn jobs<'a>(arms: &[Arm], seeds: usize, data: &'a LoadedData, snapshots: &[usize]) -> Vec<Job<'a>> {
    let of = |seed| arms.iter().map(move |arm| arm.job(seed, data).with_snapshots(snapshots.to_vec()));
    (0..seeds).flat_map(of).collect()
}

/// Makes the runs of all `arms` and sums them up. A procedure that is not SAM, and computes one gradient a step where SAM computes
/// two, is trained for the design's `sgd_epochs` too, and the better of both lengths counts (section 3.1).
///
/// # Errors
/// As [`Runner::runs`].
pub fn compare(
    runner: &mut Runner<'_>,
    arms: &[Arm],
    design: &Design,
    data: &LoadedData,
) -> Result<Vec<ArmResult>, ExperimentError> {
    let lengths: Vec<Vec<Arm>> = arms.iter().map(|arm| arm.lengths(design.sgd_epochs)).collect();
    let all: Vec<Arm> = lengths.iter().flatten().cloned().collect();
    let runs = runner.runs("training", &jobs(&all, design.seeds, data, &[]))?;
    Ok(better_lengths(&lengths, &runs))
}

/// The better length of each procedure, by `runs` of all of their lengths in the order of [`jobs`].
pub fn better_lengths(lengths: &[Vec<Arm>], runs: &[FinishedRun]) -> Vec<ArmResult> {
    let all: Vec<Arm> = lengths.iter().flatten().cloned().collect();
    let mut results = results(&all, runs).into_iter();
    lengths.iter().filter_map(|lengths| better(results.by_ref().take(lengths.len()))).collect()
}

/// What each of `arms` gave in `runs`, which are in the order of [`jobs`].
pub fn results(arms: &[Arm], runs: &[FinishedRun]) -> Vec<ArmResult> {
    let own = |i: usize| runs.iter().skip(i).step_by(arms.len()).collect::<Vec<_>>();
    arms.iter().enumerate().map(|(i, arm)| ArmResult::new(&arm.name, &own(i))).collect()
}

/// The better one of a procedure's lengths, the first of equals.
pub fn better(lengths: impl Iterator<Item = ArmResult>) -> Option<ArmResult> {
    lengths.min_by(|a, b| a.outcome.by_error(&b.outcome))
}

impl ArmResult {
    /// Sums up the runs of a procedure, in the order of their seeds.
    pub fn new(name: &str, runs: &[&FinishedRun]) -> Self {
        let outcome = Outcome::of(runs);
        let of = |value: fn(&FinishedRun) -> f64| runs.iter().map(|run| value(run)).collect::<Vec<f64>>();
        let learnt = |value: fn(&FinishedRun) -> f64| -> Vec<f64> {
            outcome.learnt(runs).map(|run| value(run)).collect()
        };
        let best = learnt(|run| run.curve.iter().map(|&(_, error)| error).fold(f64::INFINITY, f64::min));
        Self {
            name: name.to_owned(),
            best_error: Estimate::of_percentages(&best),
            train_loss: Estimate::of(&learnt(|run| run.train_loss)),
            wrong_labels: Estimate::of(&of(|run| run.wrong_labels)).mean,
            gradients_per_step: runs.first().map_or(f64::NAN, |run| run.settings.gradients_of_a_step()),
            ms_per_step: of(|run| run.ms_per_step).into_iter().fold(f64::NAN, f64::min),
            curve: outcome.curve(runs),
            outcome,
        }
    }

    /// The same under another name.
    #[must_use]
    pub fn named(&self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self.clone() }
    }

    /// This procedure's error minus the other's, paired by seed.
    pub fn minus(&self, other: &Self) -> Difference {
        self.outcome.minus(&other.outcome)
    }

    /// Test error along training as a series of a picture.
    pub fn series(&self, color: usize) -> Series {
        let points = self.curve.iter().map(|&(epoch, y)| Point { x: epoch as f64, y }).collect();
        Series { name: self.name.clone(), color, style: Style::Line, points }
    }
}

/// What an experiment's comparisons show, the first of each pair against the second: a sentence each, corrected for their number, and
/// one for each procedure with runs that never left the start.
pub fn sentences<'a>(comparisons: impl IntoIterator<Item = (&'a ArmResult, &'a ArmResult)>) -> Vec<String> {
    let named = |result: &'a ArmResult| (result.name.as_str(), &result.outcome);
    outcome::sentences(&comparisons.into_iter().map(|(a, b)| (named(a), named(b))).collect::<Vec<_>>())
}

/// Whether errors differ so much that a linear axis would show the largest alone: a procedure that does not learn must
/// not flatten all others.
pub fn needs_logarithm(results: &[ArmResult]) -> bool {
    let errors = || results.iter().map(|result| result.outcome.error.mean).filter(|&mean| mean > 0.0);
    errors().fold(0.0, f64::max) > 10.0 * errors().fold(f64::INFINITY, f64::min)
}

/// The seeds' errors and mean of each of `results` as dots over categories.
pub fn dots(results: &[ArmResult]) -> Vec<Series> {
    let column = |(i, result): (usize, &ArmResult)| {
        let x = i as f64;
        let single = |&error: &f64| Point::exact(x + 0.22, error);
        let points =
            result.outcome.errors.iter().map(single).chain([Point { x, y: result.outcome.error }]).collect();
        Series { name: String::new(), color: i, style: Style::Dots, points }
    };
    results.iter().enumerate().map(column).collect()
}
