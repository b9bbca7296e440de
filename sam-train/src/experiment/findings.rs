//! What an experiment found, and the files that say so.

use std::{env, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ExperimentError, lab::ExperimentDirectory};
use crate::{files, json, report::markdown::Table, training::settings::Settings};

/// What an experiment found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// The numbers, for people.
    pub tables: Vec<Table>,
    /// The numbers, for programs: an object for each line of `--json`.
    pub lines: Vec<Value>,
    /// What they say, a sentence each.
    pub sentences: Vec<String>,
    /// The pictures that were drawn.
    pub pictures: Vec<PathBuf>,
}

/// The content of `result.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The experiment's name.
    pub kind: String,
    /// What of the paper it repeats.
    pub paper: String,
    /// The program's version.
    pub version: String,
    /// The command line.
    pub command: String,
    /// What computed.
    pub machine: MachineRecord,
    /// The settings that runs start from and vary.
    pub settings: Settings,
    /// Seeds, counted up from the settings'.
    pub seeds: usize,
    /// What the results say.
    pub sentences: Vec<String>,
    /// The tables.
    pub tables: Vec<Table>,
    /// Names of the pictures.
    pub pictures: Vec<String>,
    /// The results.
    pub results: Vec<Value>,
}

/// What computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineRecord {
    /// Architecture and operating system.
    pub platform: String,
    /// The processor, where the system tells.
    pub processor: Option<String>,
    /// Runs at a time.
    pub threads: usize,
}

impl MachineRecord {
    /// This machine.
    pub fn here(threads: usize) -> Self {
        let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = information.lines().find(|line| line.starts_with("model name"));
        let processor = model.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()));
        Self { platform: format!("{} {}", env::consts::ARCH, env::consts::OS), processor, threads }
    }
}

impl Findings {
    /// Adds what `value` has as a line of results.
    ///
    /// # Panics
    /// If `value` cannot be JSON: no type of this crate.
    pub fn line(&mut self, value: &impl Serialize) {
        self.lines.push(serde_json::to_value(value).expect("plain data with named fields is JSON"));
    }

    /// The tables and sentences as Markdown.
    pub fn markdown(&self) -> String {
        let tables: String = self.tables.iter().map(|table| format!("{}\n", table.markdown())).collect();
        let sentences: String = self.sentences.iter().map(|sentence| format!("{sentence}\n")).collect();
        format!("{tables}{sentences}")
    }

    /// Writes `result.json` and `table.md`.
    ///
    /// # Errors
    /// [`ExperimentError::File`], when one cannot be written.
    pub fn write(
        &self,
        directory: &ExperimentDirectory,
        (kind, paper): (&str, &str),
        (settings, seeds, threads): (&Settings, usize, usize),
    ) -> Result<(), ExperimentError> {
        let program = |argument: &String| argument.rsplit('/').next().unwrap_or_default().to_owned();
        let mut words: Vec<String> = env::args().collect();
        if let Some(first) = words.first_mut() {
            *first = program(first);
        }
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let record = Record {
            kind: kind.to_owned(),
            paper: paper.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: words.join(" "),
            machine: MachineRecord::here(threads),
            settings: settings.clone(),
            seeds,
            sentences: self.sentences.clone(),
            tables: self.tables.clone(),
            pictures: self.pictures.iter().map(name).collect(),
            results: self.lines.clone(),
        };
        files::replace(&directory.file("result.json"), format!("{}\n", json::line(&record)).as_bytes())?;
        Ok(files::replace(&directory.file("table.md"), self.markdown().as_bytes())?)
    }
}
