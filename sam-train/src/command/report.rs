//! `sam report`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Call, draw::draw, output::print, terminal::note};
use crate::{
    experiment::{
        ExperimentError,
        findings::Picture,
        train::{RunDirectory, TrainResult},
    },
    files::{self, FileError},
    observer::ObserverError,
    report::{
        html::{self, Section},
        reduction::{self, Reduction},
        result_file::ResultFile,
    },
};

/// One page of HTML of any results, training runs and experiments: tables, pictures, commands, versions, machine.
///
/// What is not finished, or is no result, is listed at its end. Of two comparisons of SGD and SAM or more the page begins with the share
/// of its error that SAM took from each (figure 1, left), which is beside the page as reduction.svg too.
/// The page needs no other file and no network, follows the reader's light or dark setting, and prints well.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReportArgs {
    /// Directories of training runs and experiments.
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
/// [`ExperimentError`], when a result cannot be read, none is there, or the page cannot be written.
pub fn run(args: &ReportArgs, call: Call<'_>) -> Result<(), ExperimentError> {
    let (mut sections, mut others, mut reductions) = (Vec::new(), Vec::new(), Vec::new());
    for directory in &args.directories {
        match content(directory)? {
            Content::Result(section, compared) => {
                sections.push(section);
                reductions.extend(compared);
            }
            Content::Other(why) => {
                note(format_args!("{}: {why}", directory.display()));
                others.push((directory.display().to_string(), why.to_owned()));
            }
        }
    }
    if let (true, Some(first)) = (sections.is_empty(), args.directories.first()) {
        let (path, found) = (first.join("result.json"), "none".to_owned());
        return Err(ExperimentError::NoResult { path, found });
    }
    if let Some(figure) = reduction::figure(&reductions) {
        let title = figure.title.clone();
        let place = args.out.parent().unwrap_or_else(|| Path::new("")).to_owned();
        let path = draw(&place, &Picture::figure("reduction", figure)).map_err(ObserverError::from)?;
        let svg = files::read_text(&path).map_err(FileError::of(&path, "read"))?;
        let pictures = vec![(title.clone(), svg)];
        sections.insert(0, Section { heading: title, pictures, ..Section::default() });
    }
    files::replace(&args.out, html::page(&sections, &others).as_bytes())?;
    let page = args.out.display();
    if call.as_json {
        print(serde_json::json!({ "kind": "report", "page": page.to_string(), "results": sections.len() }))?;
    } else {
        print(format_args!("Page: {page}"))?;
    }
    Ok(())
}

/// What a directory has to say.
enum Content {
    /// A result, and the comparisons of SGD and SAM in it.
    Result(Section, Vec<Reduction>),
    /// Why there is none.
    Other(&'static str),
}

fn content(directory: &Path) -> Result<Content, ExperimentError> {
    let path = directory.join("result.json");
    if !files::present(&path) {
        let holds = |name| files::present(&directory.join(name));
        return Ok(Content::Other(match () {
            () if !directory.is_dir() => "not a directory",
            () if holds("config.toml") => "a training run that is not finished",
            () if holds("runs.jsonl") => "an experiment that is not finished",
            () => "neither a training run nor an experiment",
        }));
    }
    let read = |path: &Path| files::read_text(path).map_err(FileError::of(path, "read"));
    let text = read(&path)?;
    let place = directory.display().to_string();
    if let Ok(result) = serde_json::from_str::<TrainResult>(&text) {
        let run = RunDirectory::new(directory);
        // The picture is the command's, not the engine's: a host program may have drawn none.
        let curves = if files::present(&run.curves()) { Some(read(&run.curves())?) } else { None };
        return Ok(Content::Result(result.section(place, curves), Vec::new()));
    }
    let result: ResultFile = serde_json::from_str(&text)
        .map_err(|error| ExperimentError::NoResult { path: path.clone(), found: error.to_string() })?;
    let pictures = result.pictures.iter().map(|name| {
        // A name with a directory in it is not one that an experiment wrote.
        let name = Path::new(name).file_name().unwrap_or_default();
        Ok((name.to_string_lossy().into_owned(), read(&directory.join(name))?))
    });
    let pictures = pictures.collect::<Result<Vec<_>, FileError>>()?;
    let compared = reduction::of(&result);
    Ok(Content::Result(result.section(place, pictures), compared))
}
