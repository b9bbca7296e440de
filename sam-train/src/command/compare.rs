//! `sam compare`.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::{
    Call,
    args::{AscentArgs, DataArgs, MachineArgs, SamArgs, TrainingArgs},
    columns,
    experiment::{check_seeds, check_sgd_epochs},
    output::{keep, print, prose},
    recipe::RecipeArgs,
};
use crate::{
    data::Augment,
    experiment::{
        ExperimentError,
        compare::{
            Comparison,
            summary::{Summary, Varied},
            table,
        },
        runner::ExperimentDirectory,
        shared::Shared,
    },
    json,
    report::markdown::Table,
    training::{
        memory,
        settings::{InvalidSetting, Model, Settings},
        trainer::check_batch,
    },
};

/// SGD against SAM: test error over several seeds, with clean and with noisy training labels.
///
/// The same network is trained on the same images with SGD and with SAM, with initial weights, order and label noise
/// of each of the seeds; each of several networks with each of several augmentations. As in the paper SGD may also take twice the epochs, because a SAM step costs two gradients,
/// and SAM is compared with the better of both. Test labels are always clean. Intervals are Student's t at 95 %; the
/// difference is SAM's error minus SGD's, paired by seed. Each thread makes one run at a time. The time of a step is the
/// median over a run, in the run that other work disturbed least; making the batch is not part of it.
///
/// Finished runs are kept in DIR/runs.jsonl and not made again; result.json, table.md, compare.svg and compare.png say what came out.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Comparison")]
#[command(
    mut_arg("model", several), mut_arg("augment", several),
    allow_negative_numbers = true, after_help = EXAMPLES
)]
pub struct CompareArgs {
    // First: it reads all values of arguments that others take one of.
    #[command(flatten)]
    subjects: Subjects,

    /// Probabilities, with commas between, with which each training label is replaced by a random one.
    #[arg(long, value_name = "P,..", value_delimiter = ',', default_value = "0,0.4")]
    label_noise: Vec<f64>,

    /// Number of seeds, counted up from --seed.
    #[arg(long, value_name = "N", default_value_t = 10)]
    seeds: usize,

    /// Epochs of SGD's second chance; 0 for none [default: twice --epochs]
    #[arg(long, value_name = "N")]
    sgd_epochs: Option<usize>,

    /// Epochs between two looks at the test set [default: a 20th of --epochs]
    #[arg(long, value_name = "N")]
    evaluate_every: Option<NonZeroUsize>,

    /// Where runs, results and picture go [default: runs/compare-DATA-MODEL+..]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    training: TrainingArgs,
    #[command(flatten)]
    sam: SamArgs,
    #[command(flatten)]
    ascent: AscentArgs,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    recipe: RecipeArgs,
}

/// The networks and augmentations that are compared: all values of arguments that other commands take one value of.
#[derive(Debug, Clone)]
struct Subjects {
    models: Vec<Model>,
    augments: Vec<Augment>,
}

/// Lets an argument have several values, with commas between.
fn several(arg: Arg) -> Arg {
    let help = format!(
        "{} Several with commas between.",
        arg.get_help().map(ToString::to_string).unwrap_or_default()
    );
    arg.value_delimiter(',').help(help)
}

impl FromArgMatches for Subjects {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        fn all<T: Clone + PartialEq + Send + Sync + 'static>(matches: &ArgMatches, id: &str) -> Vec<T> {
            let mut values = Vec::new();
            for value in matches.get_many::<T>(id).into_iter().flatten() {
                if !values.contains(value) {
                    values.push(value.clone());
                }
            }
            values
        }
        Ok(Self { models: all(matches, "model"), augments: all(matches, "augment") })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Subjects {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

const EXAMPLES: &str = "\
Examples:
  sam compare
  sam compare --label-noise 0,0.2,0.4,0.6 --seeds 5 --json
  sam compare --model lenet,resnet-8 --augment none,basic --epochs 10 --seeds 3
  sam compare --data fashion-mnist --limit 10000 --model lenet --rho 0.1 --epochs 20 --seeds 3";

impl CompareArgs {
    /// What `sam compare` without any argument means.
    ///
    /// # Panics
    /// If an argument had no default.
    pub fn default_values() -> Self {
        let command = Self::augment_args(Command::new("compare"));
        Self::from_arg_matches(&command.get_matches_from(["compare"])).expect("every argument has a default")
    }

    /// Makes sure that every number is in its range.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.comparison().map(drop)
    }

    fn comparison(&self) -> Result<Comparison, InvalidSetting> {
        let mut noises = Vec::new();
        for &noise in &self.label_noise {
            if !noises.contains(&noise) {
                noises.push(noise);
            }
        }
        let mut bases = Vec::new();
        for model in &self.subjects.models {
            for &augment in &self.subjects.augments {
                let training = TrainingArgs { model: model.clone(), ..self.training.clone() };
                let data = DataArgs { augment, ..self.data.clone() };
                let settings = |noise| -> Result<_, InvalidSetting> {
                    let settings = training.settings(&data, self.sam.method(model), noise)?;
                    let mut settings = Settings { ascent: self.ascent.settings(), ..settings };
                    if self.subjects.augments.len() > 1 {
                        // What is said of one of them may have no meaning for another.
                        settings.data.augment_details = settings.data.augmentation().meant().details;
                    }
                    Ok(settings)
                };
                noises.iter().try_for_each(|&noise| settings(noise)?.check())?;
                bases.push(settings(0.0)?);
            }
        }
        self.data.check()?;
        self.sam.check()?;
        let epochs = self.training.epochs;
        check_seeds(self.seeds)?;
        check_sgd_epochs(self.sgd_epochs)?;
        Ok(Comparison {
            noises,
            seeds: self.seeds,
            sgd_epochs: self.sgd_epochs.unwrap_or(2 * epochs),
            evaluate_every: self.evaluate_every.map_or(epochs.div_ceil(20), NonZeroUsize::get),
            threads: self.machine.threads(),
            bases,
        })
    }
}

/// Runs the command.
///
/// # Errors
/// [`ExperimentError`], when there is no result.
pub fn run(args: &CompareArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    let shared = Shared::new(call.ranks);
    let prepared = || -> Result<_, ExperimentError> {
        let mut comparison = args.comparison()?;
        comparison.threads = args.machine.threads_on(&**call.ranks);
        let data = &args.data;
        let dataset = super::load(&data.settings(0.0), &args.machine.machine(data))?;
        let backend = args.machine.backend.unwrap_or_default();
        for base in &comparison.bases {
            check_batch(base, &dataset)?;
            let learner_bytes = backend.on_host(memory::of_learner(base, dataset.shape, dataset.classes));
            memory::check(base, learner_bytes * comparison.threads.min(comparison.runs()) as u128)?;
        }
        let models = || args.subjects.models.iter().map(ToString::to_string).collect::<Vec<_>>().join("+");
        let default = || PathBuf::from(format!("runs/compare-{}-{}", data.settings(0.0).title(), models()));
        let place = shared.place(args.out.clone().unwrap_or_else(default))?;
        Ok((comparison, dataset, args.machine.open_on(1, &**call.ranks)?, place))
    };
    let (comparison, dataset, backend, place) = shared.agreed(prepared())?;
    let directory = &place.directory;
    let learner = |settings: &_| backend.learner(settings, dataset.shape, dataset.classes);
    let summaries = comparison.run_on(&shared, directory, &dataset, call.host, learner);
    shared.ended(summaries.and_then(|summaries| show(args, call, &comparison, directory, summaries)))
}

/// Writes down and prints what was found.
fn show(
    args: &CompareArgs,
    call: Call<'_>,
    comparison: &Comparison,
    directory: &ExperimentDirectory,
    mut summaries: Vec<Summary>,
) -> Result<(), ExperimentError> {
    let recipe = args.recipe.followed();
    summaries.iter_mut().for_each(|summary| summary.recipe.clone_from(&recipe));
    let pictures = keep(&Comparison::findings(&summaries), directory, comparison.subject())?;
    let varied = Varied::among(&summaries);
    if call.as_json {
        for summary in &summaries {
            print(json::line(&summary.line(varied)))?;
        }
        return Ok(());
    }
    let text = columns::fitting(
        table::comparison(&summaries),
        &Table { title: String::new(), ..table::of_comparison(&summaries) },
        columns::of_stdout(),
    );
    print(format_args!("\n{text}"))?;
    recipe.map_or(Ok(()), print)?;
    for summary in &summaries {
        prose(summary.sentence(varied))?;
    }
    for picture in &pictures {
        print(format_args!("\nPicture: {}", picture.display()))?;
    }
    print(format_args!("Results: {}", directory.file("result.json").display()))?;
    Ok(())
}
