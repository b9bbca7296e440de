//! What each epoch of a run gave: whole in memory, on the disk lines of a file that grows by one an epoch, and in a
//! checkpoint the number of those lines with a digest.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::metrics::EpochMetrics;
use crate::{
    files::{self, FileError},
    json,
};

/// Which lines of the file a checkpoint means.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryMark {
    /// The first so many.
    pub lines: usize,
    /// A chain over them in hexadecimal: each link hashes the one before and the line.
    pub sha256: String,
}

/// What each epoch gave, and where it is written.
///
/// It describes the run and does not determine how it goes on: where the file does not fit the checkpoint, the run does
/// without what it held.
#[derive(Debug, Clone, Default)]
pub struct History {
    epochs: Vec<EpochMetrics>,
    mark: HistoryMark,
    /// The file, and how many of the lines it has.
    file: Option<(PathBuf, usize)>,
}

/// The file beside the run directory's `checkpoint.safetensors`, and beside any other checkpoint.
pub fn beside(checkpoint: &Path) -> PathBuf {
    match checkpoint.file_stem() {
        Some(stem) if stem == "checkpoint" => checkpoint.with_file_name("metrics.jsonl"),
        _ => checkpoint.with_extension("jsonl"),
    }
}

impl History {
    /// These epochs, not written yet.
    pub fn of(epochs: impl IntoIterator<Item = EpochMetrics>) -> Self {
        let mut history = Self::default();
        epochs.into_iter().for_each(|metrics| history.push(metrics));
        history
    }

    /// The lines of `mark` in the file `path`; `None` if it has others.
    pub fn read(path: &Path, mark: &HistoryMark) -> Option<Self> {
        let text = if mark.lines == 0 { String::new() } else { files::read_text(path).ok()? };
        let mut history = Self::default();
        for line in text.lines().take(mark.lines) {
            history.push_line(serde_json::from_str(line).ok()?, line);
        }
        (history.mark == *mark).then_some(history)
    }

    /// Adds an epoch.
    pub fn push(&mut self, metrics: EpochMetrics) {
        self.push_line(metrics, &json::line(&metrics));
    }

    fn push_line(&mut self, metrics: EpochMetrics, line: &str) {
        let HistoryMark { lines, sha256 } = &mut self.mark;
        *lines += 1;
        *sha256 = crate::hex(&Sha256::digest(format!("{sha256}\n{line}")));
        self.epochs.push(metrics);
    }

    /// The epochs, but for those that were lost with their file.
    pub fn epochs(&self) -> &[EpochMetrics] {
        &self.epochs
    }

    /// What a checkpoint says about them.
    pub fn mark(&self) -> &HistoryMark {
        &self.mark
    }

    /// Brings the file `path` up to date: by the lines that it lacks if it is the one written last, else as a whole.
    ///
    /// # Errors
    /// [`FileError`], when it cannot be written.
    pub fn write(&mut self, path: &Path) -> Result<(), FileError> {
        let before = self.file.take().filter(|(file, _)| file == path).map(|(_, lines)| lines);
        let lines = |epochs: &[EpochMetrics]| -> String {
            epochs.iter().map(|metrics| format!("{}\n", json::line(metrics))).collect()
        };
        match before {
            Some(before) if before == self.epochs.len() => {}
            Some(before) => files::append_line(path, lines(&self.epochs[before..]).trim_end())?,
            None => files::replace(path, lines(&self.epochs).as_bytes())?,
        }
        self.file = Some((path.to_owned(), self.epochs.len()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn metrics(epoch: usize) -> EpochMetrics {
        EpochMetrics {
            epoch,
            train_loss: 1.0 / epoch as f64,
            skipped: 0,
            test_loss: None,
            test_error: Some(12.5),
            lr: 0.1,
            images_per_s: epoch.is_multiple_of(2).then_some(1e4),
            ..EpochMetrics::default()
        }
    }

    #[test]
    fn lines_are_appended_and_a_file_that_says_something_else_is_not_taken() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m.jsonl");
        let mut history = History::of((1..=3).map(metrics));
        history.write(&path).unwrap();
        let mark = history.mark().clone();
        history.push(metrics(4));
        history.write(&path).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        assert_eq!(whole.lines().count(), 4);
        // The checkpoint may be older than the file, never newer.
        assert_eq!(History::read(&path, &mark).unwrap().epochs(), &history.epochs()[..3]);
        assert_eq!(History::read(&path, history.mark()).unwrap().epochs(), history.epochs());
        for text in [whole.replace("12.5", "12.6"), whole.replacen('1', "2", 1), "x".into(), String::new()] {
            fs::write(&path, text).unwrap();
            assert!(History::read(&path, &mark).is_none());
        }
        fs::remove_file(&path).unwrap();
        assert!(History::read(&path, &mark).is_none());
        assert!(History::read(&path, &HistoryMark::default()).unwrap().epochs().is_empty());
    }

    #[test]
    fn the_history_lies_beside_its_checkpoint() {
        assert_eq!(beside(Path::new("r/checkpoint.safetensors")), Path::new("r/metrics.jsonl"));
        assert_eq!(beside(Path::new("r/0123.safetensors")), Path::new("r/0123.jsonl"));
    }
}
