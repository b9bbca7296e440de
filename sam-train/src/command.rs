//! The command line: arguments to settings, results to stdout, errors to exit codes.

mod ablate;
mod analyse;
mod args;
mod bench;
mod columns;
mod compare;
mod data;
mod diff;
mod draw;
mod experiment;
mod given;
mod grid;
mod info;
mod live;
mod method;
mod models;
mod noise;
mod output;
mod recipe;
mod report;
mod shell;
mod signals;
mod start;
mod terminal;
mod train;
mod trained;
mod tune;
mod words;

use std::{ffi::OsString, process::ExitCode, rc::Rc};

use clap::{CommandFactory as _, Parser, Subcommand, error::ErrorKind};

use crate::{
    data::{DataError, Dataset, own::Found},
    experiment::ExperimentError,
    observer::{Host, Observer},
    ranks::{Alone, Ranks},
    training::{
        config::Machine,
        settings::{DataSettings, InvalidSetting},
        trainer::TrainingError,
    },
};

use terminal::{Terminal, complain, note};
use words::{in_flags, told};

/// Exit code for arguments that make no sense.
const BAD_USAGE: u8 = 2;

/// Sharpness-Aware Minimization (Foret et al., ICLR 2021): train, compare, measure.
///
/// Without a command: `compare` with its defaults, SGD against SAM on embedded digits with clean and with noisy labels.
#[derive(Debug, Parser)]
#[command(name = "sam", version, about, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// Print results as JSON, one object a line, on stdout; progress stays on stderr.
    #[arg(long, global = true)]
    json: bool,

    /// Say nothing but results and errors.
    #[arg(long, short, global = true)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  sam                                      SGD against SAM on digits, ten seeds
  sam compare --data fashion-mnist --limit 10000 --model lenet --rho 0.1
  sam train --data fashion-mnist --model lenet --optimizer sam --out runs/lenet
  sam train --resume runs/lenet            go on, to the same weights
  sam data photos --size 32x32             what a folder of pictures holds
  sam evaluate runs/lenet                  errors of each class, calibration
  sam predict runs/photos one.jpg two.png  the likeliest classes of pictures
  sam export runs/lenet --out lenet.onnx   for other programs
  sam tune --model lenet --epochs 20       radius and rate, on held-out images
  sam diff runs/sgd runs/sam               two runs side by side
  sam bench --model wrn-16-1 --batch 128   the price of a SAM step
  sam models                               the networks by name
  sam recipe                               how the paper's were trained
  sam noise                                wrong labels: SGD, mixup, SAM, ASAM
  sam ablate variants                      SAM's relatives side by side

Exit codes: 0 done, 1 failed, 2 bad usage, 130 interrupted (what was done is kept).";

/// How a command was called, apart from its own arguments.
#[derive(Clone, Copy)]
struct Call<'a> {
    /// Whether results are printed as JSON.
    as_json: bool,
    /// Signals, and the terminal.
    host: Host<'a>,
    /// The terminal, for lines beside what it is told.
    terminal: &'a Terminal,
    /// The processes that were started together.
    ranks: &'a Rc<dyn Ranks>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Data(data::InspectArgs),
    Compare(compare::CompareArgs),
    Train(train::TrainArgs),
    Bench(bench::BenchArgs),
    Models(models::ModelsArgs),
    Recipe(recipe::RecipeListArgs),
    Tune(tune::TuneArgs),
    Grid(grid::GridArgs),
    Noise(noise::NoiseArgs),
    Ablate(ablate::AblateArgs),
    Spectrum(analyse::SpectrumArgs),
    Landscape(analyse::LandscapeArgs),
    PredictGap(analyse::PredictGapArgs),
    Bound(analyse::BoundArgs),
    Finetune(analyse::FinetuneArgs),
    Evaluate(trained::EvaluateArgs),
    Predict(trained::PredictArgs),
    Export(trained::ExportArgs),
    Report(report::ReportArgs),
    Diff(diff::DiffArgs),
    Info(info::InfoArgs),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
}

impl Command {
    /// Whether several ranks share its work out.
    const fn is_for_ranks(&self) -> bool {
        matches!(
            self,
            Self::Train(_)
                | Self::Bench(_)
                | Self::Compare(_)
                | Self::Tune(_)
                | Self::Grid(_)
                | Self::Noise(_)
                | Self::Ablate(_)
                | Self::Spectrum(_)
                | Self::Landscape(_)
                | Self::PredictGap(_)
                | Self::Bound(_)
                | Self::Finetune(_)
        )
    }
}

/// Runs the command that the process was called with.
pub fn run() -> ExitCode {
    run_on(&Alone::shared())
}

/// Runs the command that all these processes were called with, of which this is one. The first of them speaks for all.
pub fn run_on(ranks: &Rc<dyn Ranks>) -> ExitCode {
    let first = ranks.is_first();
    let cli = match parsed(&**ranks) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let interrupt = match signals::interrupt() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            complain(format_args!("error: Ctrl-C cannot be handled: {error}; start the command again"));
            return ExitCode::FAILURE;
        }
    };
    let command = cli.command.unwrap_or_else(|| Command::Compare(compare::CompareArgs::default_values()));
    terminal::keep_quiet(cli.quiet || !first);
    let terminal = Terminal::new(matches!(&command, Command::Train(args) if args.live));
    let observer: &dyn Observer = if first { &terminal } else { &() };
    let call = Call {
        as_json: cli.json,
        host: Host { interrupt: &interrupt, observer },
        terminal: &terminal,
        ranks,
    };
    if !ranks.is_alone() && !command.is_for_ranks() {
        return ended(Err(ExperimentError::OneProcess { ranks: ranks.size() }), &**ranks);
    }
    if !first {
        output::keep_silent();
    }
    let outcome = match &command {
        Command::Data(args) => data::run(args, call),
        Command::Compare(args) => compare::run(args, call),
        Command::Train(args) => train::run(args, call),
        Command::Bench(args) => bench::run(args, call),
        Command::Models(args) => models::run(args, call),
        Command::Recipe(args) => recipe::run(args, call),
        Command::Tune(args) => tune::run(args, call),
        Command::Grid(args) => grid::run(args, call),
        Command::Noise(args) => noise::run(args, call),
        Command::Ablate(args) => ablate::run(args, call),
        Command::Spectrum(args) => analyse::spectrum(args, call),
        Command::Landscape(args) => analyse::landscape(args, call),
        Command::PredictGap(args) => analyse::predict_gap(args, call),
        Command::Bound(args) => analyse::bound(args, call),
        Command::Finetune(args) => analyse::finetune(args, call),
        Command::Evaluate(args) => trained::evaluate(args, call),
        Command::Predict(args) => trained::predict(args, call),
        Command::Export(args) => trained::export(args),
        Command::Report(args) => report::run(args, call),
        Command::Diff(args) => diff::run(args, call),
        Command::Info(_) => info::run(call),
        Command::Completions(args) => shell::completions(args),
        Command::Man(args) => shell::man(args),
    };
    ended(outcome, &**ranks)
}

/// The arguments, if all ranks understand theirs; else the first that does not says why, and this is what all end with.
fn parsed(ranks: &dyn Ranks) -> Result<Cli, ExitCode> {
    let own = understood(std::env::args_os().collect());
    let understood = own.as_ref().map_or_else(|error| vec![error.exit_code() as u8], |_| Vec::new());
    let all = ranks.gather(&understood);
    let Some(rank) = all.iter().position(|code| !code.is_empty()) else {
        return own.map_err(|_| ExitCode::FAILURE);
    };
    if let (Err(error), true) = (own, rank == ranks.rank()) {
        // That nobody may be listening changes nothing.
        let _ = error.print();
    }
    Err(all[rank][0].into())
}

/// What the arguments say, with those of a recipe that they name.
fn understood(arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    let refused = |text| Cli::command().error(ErrorKind::InvalidValue, format!("{text}\n"));
    Cli::try_parse_from(expanded(arguments).map_err(refused)?)
}

/// The arguments, the program's name first, with those of a recipe that they name; as they are, if they name none.
///
/// # Errors
/// What is wrong with them, in the words that the command would use.
pub fn expanded(arguments: Vec<OsString>) -> Result<Vec<OsString>, String> {
    recipe::expanded(arguments).map_err(|error| in_flags(&error.to_string()))
}

/// Tells how the command has ended, on all ranks at once.
fn ended(outcome: Result<(), ExperimentError>, ranks: &dyn Ranks) -> ExitCode {
    let own = match &outcome {
        // The other's own error says more.
        Err(error) if !error.is_of_peer() => {
            let prefix = if matches!(error, ExperimentError::Interrupted { .. }) { "" } else { "error: " };
            format!("{prefix}{}", told(error))
        }
        _ => String::new(),
    };
    // Nobody leaves before all have heard: a launcher ends the others as soon as one has failed.
    let all = ranks.gather(own.as_bytes());
    if ranks.is_first() {
        let of_all = all.iter().all(|text| *text == all[0]);
        for (rank, text) in all.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
            let text = String::from_utf8_lossy(text);
            if !of_all {
                complain(format_args!("rank {rank}: {text}"));
            } else if rank == 0 {
                complain(text);
            }
        }
    }
    ranks.gather(&[]);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit_code(&error).into(),
    }
}

/// Makes sure that the arguments, the program's name first, mean something; does nothing.
///
/// # Errors
/// What is wrong with them, in the words that the command would use.
pub fn check<T: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = T>) -> Result<(), String> {
    let arguments = arguments.into_iter().map(Into::into).collect();
    let cli = understood(arguments).map_err(|error| error.to_string())?;
    match cli.command {
        None => Ok(()),
        Some(Command::Data(args)) => args.check(),
        Some(Command::Compare(args)) => args.check(),
        Some(Command::Train(args)) => args.check(),
        Some(Command::Bench(args)) => args.check(),
        Some(Command::Tune(args)) => args.check(),
        Some(Command::Grid(args)) => args.check(),
        Some(Command::Noise(args)) => args.check(),
        Some(Command::Ablate(args)) => args.check(),
        Some(Command::Spectrum(args)) => args.check(),
        Some(Command::Landscape(args)) => args.check(),
        Some(Command::PredictGap(args)) => args.check(),
        Some(Command::Bound(args)) => args.check(),
        Some(Command::Finetune(args)) => args.check(),
        // Paths alone.
        Some(
            Command::Models(_)
            | Command::Recipe(_)
            | Command::Evaluate(_)
            | Command::Predict(_)
            | Command::Export(_)
            | Command::Report(_)
            | Command::Diff(_)
            | Command::Info(_)
            | Command::Completions(_)
            | Command::Man(_),
        ) => Ok(()),
    }
    .map_err(|error| in_flags(&error.to_string()))
}

fn exit_code(error: &ExperimentError) -> u8 {
    match error {
        ExperimentError::Interrupted { .. } => signals::EXIT_CODE,
        ExperimentError::Setting(InvalidSetting { .. })
        | ExperimentError::Training(TrainingError::Batch { .. } | TrainingError::Setting(_))
        | ExperimentError::Occupied { .. }
        | ExperimentError::OneProcess { .. } => BAD_USAGE,
        _ => 1,
    }
}

/// The training data that `limit` leaves, from where the machine has it.
fn load(data: &DataSettings, machine: &Machine) -> Result<Dataset, DataError> {
    let found = data.load(machine.data_dir.as_deref())?;
    tell(&found);
    cached(found.dataset, machine, true)
}

/// `dataset` with room for decoded pictures, if the machine shall have it; `told` says whether it is said that nothing needs it.
fn cached(mut dataset: Dataset, machine: &Machine, told: bool) -> Result<Dataset, DataError> {
    if let Some(limit) = machine.picture_cache {
        let used = dataset.keep_decoded((limit as u64) << 20)?;
        if told && !used {
            note(format_args!("note: --picture-cache has nothing to keep: the images lie in memory"));
        }
    }
    Ok(dataset)
}

/// What was decided, ambiguous or left out, on stderr.
fn tell(found: &Found) {
    found.notes.iter().for_each(|line| note(format_args!("note: {line}")));
    found.broken.iter().for_each(|broken| note(format_args!("left out: {broken}")));
    if !found.broken.is_empty() {
        note(format_args!("files or rows left out: {}", found.broken.len()));
    }
}

/// The command line, without the way to the program.
fn command_line() -> String {
    let mut words: Vec<String> = std::env::args().collect();
    if let Some(first) = words.first_mut() {
        *first = first.rsplit('/').next().unwrap_or_default().to_owned();
    }
    words.join(" ")
}
