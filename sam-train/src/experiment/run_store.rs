//! Finished runs on disk, one JSON object a line, so that no run is made twice.

use std::{
    collections::HashMap,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::ExperimentError;
use crate::{
    doubt::has_learnt,
    files::{self, FileError},
    json,
    training::settings::Settings,
};

/// What is remembered of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinishedRun {
    /// Tells runs apart: [`run_key`].
    pub key: String,
    /// The run's settings.
    pub settings: Settings,
    /// Share of wrongly classified test images after the last epoch, in percent.
    pub test_error: f64,
    /// The same after other epochs: `(epochs done, percent)`, the last one included.
    pub curve: Vec<(usize, f64)>,
    /// Mean training loss in the last epoch.
    pub train_loss: f64,
    /// Share of training labels that were wrong.
    pub wrong_labels: f64,
    /// Median time of a step, batch already made, in ms.
    pub ms_per_step: f64,
    /// Identity of the final weights.
    pub weights_sha256: String,
    /// Images that the test error was counted on; 0 if an earlier version has not written it down.
    #[serde(default)]
    pub test_images: usize,
    /// The test error, in percent, of naming the most frequent class for every image.
    #[serde(default = "whole")]
    pub chance_error: f64,
}

const fn whole() -> f64 {
    100.0
}

impl FinishedRun {
    /// Whether the network has learnt more than which class is the most frequent.
    pub fn left_start(&self) -> bool {
        has_learnt(self.test_error, self.chance_error)
    }
}

/// The key of a run of these settings on the data with this fingerprint, evaluated every so many epochs.
pub fn run_key(settings: &Settings, fingerprint: &str, evaluate_every: usize) -> String {
    use sha2::{Digest, Sha256};
    let version = env!("CARGO_PKG_VERSION");
    let text = format!("{version} {} {fingerprint} {evaluate_every}", settings.digest());
    crate::hex(&Sha256::digest(text))
}

/// The finished runs of a directory.
#[derive(Debug)]
pub struct RunStore {
    path: PathBuf,
    runs: HashMap<String, FinishedRun>,
}

impl RunStore {
    /// Reads the file `path`, which may be absent. A last line without an end, left by a crash, is cut off.
    ///
    /// # Errors
    /// [`ExperimentError::StoredRun`] for a whole line that is no run; [`ExperimentError::File`], when the file cannot
    /// be read or mended.
    pub fn open(path: &Path) -> Result<Self, ExperimentError> {
        let text = match files::read_text(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            other => other.map_err(FileError::of(path, "read"))?,
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        if whole.len() < text.len() {
            files::replace(path, whole.as_bytes())?;
        }
        let mut runs = HashMap::new();
        for (line, number) in whole.lines().zip(1..) {
            let run: FinishedRun = serde_json::from_str(line).map_err(|error| {
                ExperimentError::StoredRun { path: path.to_owned(), line: number, found: error.to_string() }
            })?;
            runs.insert(run.key.clone(), run);
        }
        Ok(Self { path: path.to_owned(), runs })
    }

    /// The run of that key, if it is finished.
    pub fn get(&self, key: &str) -> Option<&FinishedRun> {
        self.runs.get(key)
    }

    /// Remembers a run, on disk before in memory.
    ///
    /// # Errors
    /// [`FileError`], when the file cannot be written.
    pub fn add(&mut self, run: FinishedRun) -> Result<(), FileError> {
        files::append_line(&self.path, &json::line(&run))?;
        self.runs.insert(run.key.clone(), run);
        Ok(())
    }
}
