//! What is kept of an experiment: its result as `result.json`.

use std::{env, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{html::Section, markdown::Table};
use crate::{
    files::{self, FileError},
    json,
    training::settings::Settings,
};

/// The content of `result.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResultFile {
    /// The experiment's name.
    pub kind: String,
    /// What of the paper it repeats.
    pub paper: String,
    /// The program's version.
    pub version: String,
    /// The command line.
    pub command: String,
    /// What computed.
    pub machine: MachineFacts,
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
pub struct MachineFacts {
    /// Architecture and operating system.
    pub platform: String,
    /// The processor, where the system tells.
    pub processor: Option<String>,
    /// Runs at a time.
    pub threads: usize,
}

impl MachineFacts {
    /// This machine.
    pub fn here(threads: usize) -> Self {
        let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = information.lines().find(|line| line.starts_with("model name"));
        let processor = model.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()));
        Self { platform: format!("{} {}", env::consts::ARCH, env::consts::OS), processor, threads }
    }
}

impl ResultFile {
    /// What a page says of it; it lies at `place` and has these pictures.
    pub fn section(self, place: String, pictures: Vec<(String, String)>) -> Section {
        let Self { settings, machine, .. } = &self;
        let (kind, model, data) =
            (self.kind.replacen("ablate-", "ablate ", 1), &settings.model, settings.data.title());
        let processor = machine.processor.as_deref().unwrap_or("unknown processor");
        let facts = vec![
            ("command", self.command.clone()),
            ("version", self.version.clone()),
            ("seeds", format!("{} from {}", self.seeds, settings.seed)),
            ("machine", format!("{processor}, {}, {} runs at a time", machine.platform, machine.threads)),
            ("settings", json::line(settings)),
            ("place", place),
        ];
        Section {
            heading: format!("sam {kind}: {model} on {data} ({})", self.paper),
            tables: self.tables,
            sentences: self.sentences,
            pictures,
            facts,
        }
    }

    /// Writes the result to `path`.
    ///
    /// # Errors
    /// [`FileError`], when it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        files::replace(path, format!("{}\n", json::line(self)).as_bytes())
    }
}
