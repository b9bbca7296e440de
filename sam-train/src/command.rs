//! The command line: arguments to settings, results to stdout, errors to exit codes.

mod ablate;
mod analyse;
mod args;
mod bench;
mod compare;
mod experiment;
mod grid;
mod method;
mod noise;
mod output;
mod report;
mod train;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{
    data::{DataError, DataSource, Dataset},
    experiment::ExperimentError,
    interrupt::{self, Interrupt},
    report::progress::note,
    training::{config::Machine, settings::InvalidSetting, trainer::TrainingError},
};

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
}

const EXAMPLES: &str = "\
Examples:
  sam                                                   SGD against SAM on digits, 10 seeds, a table and a picture
  sam compare --data fashion-mnist --limit 10000 --model lenet --rho 0.1 --epochs 20 --seeds 3
  sam train --data fashion-mnist --model lenet --optimizer sam --out runs/lenet
  sam train --resume runs/lenet                         go on after Ctrl-C or a crash, to the same weights
  sam bench --model wrn-16-1 --batch 128                the price of a SAM step
  sam noise                                             label noise: SGD, mixup, SAM, ASAM, bootstrapped too
  sam ablate variants                                   SAM's relatives side by side

Exit codes: 0 done, 1 failed, 2 bad usage, 130 interrupted (what was done is kept).";

#[derive(Debug, Subcommand)]
enum Command {
    Compare(compare::CompareArgs),
    Train(train::TrainArgs),
    Bench(bench::BenchArgs),
    Grid(grid::GridArgs),
    Noise(noise::NoiseArgs),
    Ablate(ablate::AblateArgs),
    Spectrum(analyse::SpectrumArgs),
    Landscape(analyse::LandscapeArgs),
    PredictGap(analyse::PredictGapArgs),
    Bound(analyse::BoundArgs),
    Finetune(analyse::FinetuneArgs),
    Report(report::ReportArgs),
}

/// Runs the command that the process was called with.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let interrupt = match Interrupt::on_signals() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            note(format_args!("error: Ctrl-C cannot be handled: {error}; start the command again"));
            return ExitCode::FAILURE;
        }
    };
    let command = cli.command.unwrap_or_else(|| Command::Compare(compare::CompareArgs::default_values()));
    let outcome = match &command {
        Command::Compare(args) => compare::run(args, cli.json, &interrupt),
        Command::Train(args) => train::run(args, cli.json, &interrupt),
        Command::Bench(args) => bench::run(args, cli.json, &interrupt),
        Command::Grid(args) => grid::run(args, cli.json, &interrupt),
        Command::Noise(args) => noise::run(args, cli.json, &interrupt),
        Command::Ablate(args) => ablate::run(args, cli.json, &interrupt),
        Command::Spectrum(args) => analyse::spectrum(args, cli.json, &interrupt),
        Command::Landscape(args) => analyse::landscape(args, cli.json, &interrupt),
        Command::PredictGap(args) => analyse::predict_gap(args, cli.json, &interrupt),
        Command::Bound(args) => analyse::bound(args, cli.json, &interrupt),
        Command::Finetune(args) => analyse::finetune(args, cli.json, &interrupt),
        Command::Report(args) => report::run(args, cli.json),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let prefix = if matches!(error, ExperimentError::Interrupted { .. }) { "" } else { "error: " };
            note(format_args!("{prefix}{error}"));
            exit_code(&error).into()
        }
    }
}

/// Makes sure that the arguments, the program's name first, mean something; does nothing.
///
/// # Errors
/// What is wrong with them, in the words that the command would use.
pub fn check<T: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = T>) -> Result<(), String> {
    let cli = Cli::try_parse_from(arguments).map_err(|error| error.to_string())?;
    match cli.command {
        None => Ok(()),
        Some(Command::Compare(args)) => args.check(),
        Some(Command::Train(args)) => args.check(),
        Some(Command::Bench(args)) => args.check(),
        Some(Command::Grid(args)) => args.check(),
        Some(Command::Noise(args)) => args.check(),
        Some(Command::Ablate(args)) => args.check(),
        Some(Command::Spectrum(args)) => args.check(),
        Some(Command::Landscape(args)) => args.check(),
        Some(Command::PredictGap(args)) => args.check(),
        Some(Command::Bound(args)) => args.check(),
        Some(Command::Finetune(args)) => args.check(),
        Some(Command::Report(_)) => Ok(()),
    }
    .map_err(|error| error.to_string())
}

fn exit_code(error: &ExperimentError) -> u8 {
    match error {
        ExperimentError::Interrupted { .. } => interrupt::EXIT_CODE,
        ExperimentError::Setting(InvalidSetting { .. })
        | ExperimentError::Training(TrainingError::Batch { .. })
        | ExperimentError::Occupied { .. } => BAD_USAGE,
        _ => 1,
    }
}

/// The training data that `limit` leaves, from where the machine has it.
fn load(source: DataSource, limit: Option<usize>, machine: &Machine) -> Result<Dataset, DataError> {
    source.load(machine.data_dir.as_deref(), limit)
}
