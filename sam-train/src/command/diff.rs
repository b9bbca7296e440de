//! `sam diff`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{Call, output::print};
use crate::{
    experiment::{ExperimentError, train::RunDirectory},
    files::{self, FileError},
    report::markdown::Table,
    training::{checkpoint, config::Config, metrics::EpochMetrics},
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
        print(table.markdown())?;
    }
    print(figures([&a, &b], [&first.epochs, &second.epochs]).markdown())?;
    Ok(())
}

/// A figure of an epoch under its name.
type Figure = (&'static str, fn(&EpochMetrics) -> Option<f64>);

/// Last and best values of each figure that one of them has.
fn figures(names: [&str; 2], runs: [&[EpochMetrics]; 2]) -> Table {
    const FIGURES: [Figure; 7] = [
        ("test error (%)", |metrics| metrics.test_error),
        ("test loss", |metrics| metrics.test_loss),
        ("training error (%)", |metrics| metrics.train_error),
        ("training loss", |metrics| Some(metrics.train_loss)),
        ("gradient norm", |metrics| metrics.gradient_norm),
        ("sharpness", |metrics| metrics.sharpness),
        ("images/s", |metrics| metrics.images_per_s),
    ];
    let [a, b] = names;
    let mut table = Table::new("After the last epoch", &["figure", a, b, "second minus first"]);
    table.row(vec![
        "epochs done".into(),
        runs[0].len().to_string(),
        runs[1].len().to_string(),
        String::new(),
    ]);
    for (name, of) in FIGURES {
        let [a, b] = runs.map(|epochs| epochs.last().and_then(of));
        if a.is_none() && b.is_none() {
            continue;
        }
        let text = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.4}"));
        let difference = a.zip(b).map(|(a, b)| b - a);
        let sign = difference.map_or_else(String::new, |difference| format!("{difference:+.4}"));
        table.row(vec![name.into(), text(a), text(b), sign]);
    }
    table
}
