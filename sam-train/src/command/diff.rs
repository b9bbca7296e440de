//! `sam diff`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{
    Call,
    output::{print, tabled},
};
use crate::{
    experiment::{ExperimentError, train::RunDirectory},
    files::{self, FileError},
    report::markdown::Table,
    training::{checkpoint, config::Config, evaluated::Evaluated, metrics::EpochMetrics},
};

/// Two training runs side by side: the settings in which they differ, and what each epoch gave.
///
/// Runs need not be finished. Of settings only those that differ are shown.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct DiffArgs {
    /// The directory of a run.
    #[arg(value_name = "A")]
    first: PathBuf,

    /// The directory of another.
    #[arg(value_name = "B")]
    second: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  sam diff runs/sgd runs/sam
  sam diff runs/sgd runs/sam --json";

/// A run, finished or not.
struct Run {
    config: Config,
    epochs: Vec<EpochMetrics>,
}

impl Run {
    fn open(path: &Path) -> Result<Self, ExperimentError> {
        let directory = RunDirectory::new(path);
        if !files::present(&directory.config()) {
            return Err(ExperimentError::NoRun { path: path.to_owned() });
        }
        Ok(Self { config: Config::load(&directory.config())?, epochs: epochs(&directory)? })
    }
}

/// What the epochs of a run gave; a last line without an end is one that is being written.
pub fn epochs(directory: &RunDirectory) -> Result<Vec<EpochMetrics>, ExperimentError> {
    let path = directory.metrics();
    if !files::present(&path) {
        return Ok(Vec::new());
    }
    let text = files::read_text(&path).map_err(FileError::of(&path, "read"))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let line = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| ExperimentError::StoredRun {
            path: path.clone(),
            line: number + 1,
            found: error.to_string(),
        })
    };
    whole.lines().enumerate().map(line).collect()
}

/// Runs the command.
///
/// # Errors
/// [`ExperimentError`], when one of them is no run.
pub fn run(args: &DiffArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    let [first, second] = [Run::open(&args.first)?, Run::open(&args.second)?];
    let of = |run: &Run| serde_json::to_value(&run.config.run).unwrap_or_default();
    let settings = checkpoint::differences(&of(&first), &of(&second));
    if call.as_json {
        let settings: Vec<Value> =
            settings.iter().map(|(name, a, b)| json!({"setting": name, "a": a, "b": b})).collect();
        print(json!({"kind": "diff", "settings": settings, "a": first.epochs, "b": second.epochs}))?;
        return Ok(());
    }
    let [a, b] = [&args.first, &args.second].map(|path| path.display().to_string());
    if settings.is_empty() {
        print("The settings are equal.\n")?;
    } else {
        let mut table = Table::new("Settings that differ", &["setting", &a, &b]);
        settings.into_iter().for_each(|(name, a, b)| table.row(vec![name, a, b]));
        tabled(&table)?;
    }
    tabled(&figures([&a, &b], [&first, &second]))?;
    Ok(())
}

/// A figure of an epoch: its name, the decimals that it is worth, and how to get it.
type Figure = (&'static str, usize, fn(&EpochMetrics) -> Option<f64>);

/// The last value of each figure that one of them has. Errors of the test set and of held-out images are different figures: where each
/// run has one of them nothing is subtracted.
fn figures(names: [&str; 2], runs: [&Run; 2]) -> Table {
    const EVALUATED: [Figure; 2] =
        [("error (%)", 4, |metrics| metrics.test_error), ("loss", 4, |metrics| metrics.test_loss)];
    const OTHERS: [Figure; 5] = [
        ("training error (%)", 4, |metrics| metrics.train_error),
        ("training loss", 4, |metrics| Some(metrics.train_loss)),
        ("gradient norm", 4, |metrics| metrics.gradient_norm),
        ("sharpness", 4, |metrics| metrics.sharpness),
        ("images/s", 0, |metrics| metrics.images_per_s),
    ];
    let [a, b] = names;
    let mut table = Table::new("After the last epoch", &["figure", a, b, "second minus first"]);
    let [first, second] = runs.map(|run| run.epochs.len().to_string());
    table.row(vec!["epochs done".into(), first, second, String::new()]);
    let mut row = |name: String, digits: usize, [a, b]: [Option<f64>; 2]| {
        if a.is_none() && b.is_none() {
            return;
        }
        let text = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.digits$}"));
        let difference = a.zip(b).map(|(a, b)| b - a);
        let sign = difference.map_or_else(String::new, |difference| format!("{difference:+.digits$}"));
        table.row(vec![name, text(a), text(b), sign]);
    };
    for evaluated_on in [Evaluated::Test, Evaluated::Validation] {
        let those =
            runs.map(|run| Some(run).filter(|run| run.config.run.data.evaluated_on() == evaluated_on));
        for (name, digits, of) in EVALUATED {
            row(format!("{evaluated_on} {name}"), digits, those.map(|run| run?.epochs.last().and_then(of)));
        }
    }
    for (name, digits, of) in OTHERS {
        row(name.to_owned(), digits, runs.map(|run| run.epochs.last().and_then(of)));
    }
    table
}
