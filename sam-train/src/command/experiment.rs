//! What the commands of all experiments share: arguments, where results go, how they are shown.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::Args;

use super::{
    Call,
    args::{AscentArgs, DataArgs, MachineArgs, SamArgs, TrainingArgs},
    output::{keep, print, prose, tabled},
    recipe::RecipeArgs,
};
use crate::{
    data::Dataset,
    experiment::{
        ExperimentError,
        design::{Design, Experiment},
        findings::{Findings, Subject},
        runner::{ExperimentDirectory, LoadedData, Runner},
        shared::Shared,
    },
    json,
    training::{
        memory,
        range::Range,
        settings::{InvalidSetting, MOST_EPOCHS, Method, Settings},
        trainer::check_batch,
    },
};

/// What every experiment takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Experiment")]
pub struct ExperimentArgs {
    /// Number of seeds, counted up from --seed.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub seeds: usize,

    /// Epochs of a second chance for SGD, and for mixup, whose steps take one gradient: the better of both lengths is compared with
    /// SAM, as in the paper; 0 for none [default: twice --epochs]
    #[arg(long, value_name = "N")]
    pub sgd_epochs: Option<usize>,

    /// Epochs between two looks at the test set [default: a 20th of --epochs]
    #[arg(long, value_name = "N")]
    evaluate_every: Option<NonZeroUsize>,

    /// Where runs, results and pictures go [default: runs/EXPERIMENT-DATA-MODEL]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub training: TrainingArgs,
    #[command(flatten)]
    pub sam: SamArgs,
    #[command(flatten)]
    pub ascent: AscentArgs,
    #[command(flatten)]
    pub machine: MachineArgs,
    #[command(flatten)]
    pub recipe: RecipeArgs,
}

impl ExperimentArgs {
    /// Makes sure that every number is in its range.
    pub fn check(&self, label_noise: f64) -> Result<(), InvalidSetting> {
        self.data.check()?;
        self.sam.check()?;
        self.settings(label_noise)?.check()?;
        check_sgd_epochs(self.sgd_epochs)?;
        check_seeds(self.seeds)
    }

    /// Makes sure that no groups of images are asked for where the method that is varied has none.
    pub fn check_no_groups(&self) -> Result<(), InvalidSetting> {
        self.sam.m.map_or(Ok(()), |m| {
            let expected = "nothing: what is varied here takes the batch as a whole";
            Err(InvalidSetting::new("m", expected, m))
        })
    }

    /// SAM as the arguments describe it.
    pub fn method(&self) -> Method {
        self.sam.method(&self.training.model)
    }

    /// The settings of a run on labels of which `label_noise` were replaced.
    ///
    /// # Errors
    /// [`InvalidSetting`], when arguments do not go together.
    pub fn settings(&self, label_noise: f64) -> Result<Settings, InvalidSetting> {
        let settings = self.training.settings(&self.data, self.method(), label_noise)?;
        Ok(Settings { ascent: self.ascent.settings(), ..settings })
    }
}

/// Conducts `experiment`, on labels of which `label_noise` were replaced, and shows what it found. Finished runs are
/// kept in DIR/runs.jsonl and not made again.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn run<E: Experiment>(
    experiment: &E,
    args: &ExperimentArgs,
    label_noise: f64,
    call: Call<'_>,
) -> Result<(), ExperimentError> {
    run_with(experiment, args, None, label_noise, call)
}

/// The same; `settings`, if given, take the place of the arguments'.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn run_with<E: Experiment>(
    experiment: &E,
    args: &ExperimentArgs,
    settings: Option<Settings>,
    label_noise: f64,
    call: Call<'_>,
) -> Result<(), ExperimentError> {
    let shared = Shared::new(call.ranks);
    let threads = args.machine.threads_on(&**call.ranks);
    let prepared = || -> Result<_, ExperimentError> {
        let base = settings.map_or_else(|| args.settings(label_noise), Ok)?;
        args.data.check()?;
        base.check()?;
        let dataset = super::load(&base.data, &args.machine.machine(&args.data))?;
        let name = args.machine.backend.unwrap_or_default();
        // What does not fit is found out before anything is written.
        check_batch(&base, &dataset)?;
        let bytes = name.on_host(memory::of_learner(&base, dataset.shape, dataset.classes));
        memory::check(&base, bytes * threads as u128)?;
        let backend = args.machine.open_on(1, &**call.ranks)?;
        let fresh = backend.learner(&base, dataset.shape, dataset.classes)?.export()?;
        let sgd_epochs = args.sgd_epochs.unwrap_or(2 * base.epochs);
        let data = LoadedData::new(dataset)?.evaluated_on(base.data.evaluated_on());
        let design = Design { base, seeds: args.seeds, sgd_epochs, data };
        let base = &design.base;
        let default = || PathBuf::from(format!("runs/{}-{}-{}", E::NAME, base.data.title(), base.model));
        let place = shared.place(args.out.clone().unwrap_or_else(default))?;
        experiment.check(&design, fresh)?;
        Ok((design, backend, place))
    };
    let (design, backend, place) = shared.agreed(prepared())?;
    let learner =
        |settings: &Settings, dataset: &Dataset| backend.learner(settings, dataset.shape, dataset.classes);
    let every = args.evaluate_every.map_or(design.base.epochs.div_ceil(20), NonZeroUsize::get);
    let conducted = || {
        let mut runner =
            Runner::open_on(&shared, place.directory.clone(), threads, every, call.host, &learner)?;
        let mut findings = experiment.run(&mut runner, &design)?;
        if let Some(recipe) = args.recipe.followed() {
            findings.follow(&recipe);
        }
        let (settings, seeds) = (&design.base, design.seeds);
        let subject = Subject { kind: E::NAME, paper: E::PAPER, settings, seeds, threads };
        show(&findings, &place.directory, subject, call)
    };
    shared.ended(conducted())
}

/// Writes down and prints what was found.
fn show(
    findings: &Findings,
    directory: &ExperimentDirectory,
    subject: Subject<'_>,
    call: Call<'_>,
) -> Result<(), ExperimentError> {
    let pictures = keep(findings, directory, subject)?;
    if call.as_json {
        for line in &findings.lines {
            print(json::line(line))?;
        }
        return Ok(());
    }
    print("")?;
    for table in &findings.tables {
        tabled(table)?;
    }
    for sentence in &findings.sentences {
        prose(sentence)?;
    }
    print("")?;
    for picture in &pictures {
        print(format_args!("Picture: {}", picture.display()))?;
    }
    print(format_args!("Results: {}", directory.file("result.json").display()))?;
    Ok(())
}

/// Makes sure that a number is from 1 up.
pub fn positive(setting: &'static str, value: usize) -> Result<(), InvalidSetting> {
    in_range(setting, value > 0, "a number from 1 up", value)
}

/// Makes sure that every radius is a number above 0.
pub fn radii(setting: &'static str, values: &[f64]) -> Result<(), InvalidSetting> {
    let wrong = values.iter().find(|value| !(**value > 0.0 && value.is_finite()));
    wrong.map_or(Ok(()), |value| in_range(setting, false, "numbers above 0", value))
}

/// Makes sure that a command makes runs of at least one seed, and of no more than can be meant.
pub fn check_seeds(seeds: usize) -> Result<(), InvalidSetting> {
    in_range("seeds", (1..=10_000).contains(&seeds), "a number from 1 up to 10000", seeds)
}

/// Makes sure that SGD's second chance is no longer than the longest run.
pub fn check_sgd_epochs(epochs: Option<usize>) -> Result<(), InvalidSetting> {
    let epochs = epochs.unwrap_or(0);
    Range::Whole(0, MOST_EPOCHS as u64).check_whole("sgd-epochs", epochs)
}

/// The error of a setting that is not `valid`.
pub fn in_range(
    setting: &'static str,
    valid: bool,
    expected: &'static str,
    found: impl std::fmt::Display,
) -> Result<(), InvalidSetting> {
    if valid { Ok(()) } else { Err(InvalidSetting::new(setting, expected, found)) }
}
