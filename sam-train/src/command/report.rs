//! `sam report`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{Call, output::print};
use crate::{
    experiment::ExperimentError,
    files::{self, FileError},
    report::{
        html::{self, Section},
        record::Record,
    },
};

/// One page of HTML of any results: tables, pictures, commands, versions, machine.
///
/// The page needs no other file and no network, follows the reader's light or dark setting, and prints well.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReportArgs {
    /// Directories of experiments.
    #[arg(value_name = "DIR", required = true)]
    directories: Vec<PathBuf>,

    /// The page.
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  sam report runs/noise-digits-mlp-128-64 runs/grid-digits-mlp-128-64
  sam report runs/* --out results.html";

/// Runs the command.
///
/// # Errors
/// [`ExperimentError`], when a result cannot be read or the page cannot be written.
pub fn run(args: &ReportArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    let sections =
        args.directories.iter().map(|directory| section(directory)).collect::<Result<Vec<_>, _>>()?;
    files::replace(&args.out, html::page(&sections).as_bytes())?;
    let page = args.out.display();
    if call.as_json {
        print(serde_json::json!({ "kind": "report", "page": page.to_string(), "results": sections.len() }))?;
    } else {
        print(format_args!("Page: {page}"))?;
    }
    Ok(())
}

fn section(directory: &Path) -> Result<Section, ExperimentError> {
    let path = directory.join("result.json");
    let read = |path: &Path| fs::read_to_string(path).map_err(FileError::of(path, "read"));
    let text = read(&path)?;
    let record: Record = serde_json::from_str(&text)
        .map_err(|error| ExperimentError::NoResult { path: path.clone(), found: error.to_string() })?;
    let pictures = record.pictures.iter().map(|name| {
        // A name with a directory in it is not one that an experiment wrote.
        let name = Path::new(name).file_name().unwrap_or_default();
        read(&directory.join(name))
    });
    let pictures = pictures.collect::<Result<Vec<_>, _>>()?;
    Ok(Section { place: directory.display().to_string(), record, pictures })
}
