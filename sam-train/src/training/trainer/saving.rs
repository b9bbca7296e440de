//! A run's state: shown, written to a checkpoint, and taken from one.

use std::path::Path;

use super::{MOST_ROLLBACKS, Trainer, TrainingError};
use crate::{
    files::{self, FileError},
    training::{
        checkpoint::{Checkpoint, CheckpointError, RunPosition},
        history::{self, History},
        learner::LearnerError,
        nonfinite::NonFinite,
        settings::Settings,
        state::State,
    },
};

impl Trainer<'_> {
    /// The learner's state, averages included.
    ///
    /// # Errors
    /// [`TrainingError::Learner`], when the backend fails.
    pub fn state(&mut self) -> Result<State, TrainingError> {
        Ok(self.learner.export()?)
    }

    /// Writes where the run stands to `path`, and what its epochs gave beside it ([`history::beside`]).
    ///
    /// # Errors
    /// [`TrainingError::NonFinite`], when the latest update made the state useless; [`TrainingError`], when the backend
    /// fails or a file cannot be written. In each case the checkpoint is as it was.
    pub fn save(&mut self, path: &Path) -> Result<(), TrainingError> {
        let content = self.encode(path)?;
        Ok(self.write(path, &content).map_err(CheckpointError::from)?)
    }

    /// Writes the `content` of a checkpoint ([`Trainer::encode`]) to `path`, and what the epochs gave beside it.
    ///
    /// # Errors
    /// [`FileError`], when it cannot be written.
    pub fn write(&mut self, path: &Path, content: &[u8]) -> Result<(), FileError> {
        self.save_history(path)?;
        files::replace(path, content)
    }

    /// Writes what the epochs gave beside the checkpoint at `path`.
    ///
    /// # Errors
    /// [`FileError`], when it cannot be written.
    pub fn save_history(&mut self, path: &Path) -> Result<(), FileError> {
        self.history.write(&history::beside(path))
    }

    /// The content of the checkpoint that [`Trainer::save`] would write to `path`. On several ranks all of them make this call, and the
    /// first alone gets it; the others get nothing, and need no memory for it.
    ///
    /// # Errors
    /// As [`Trainer::save`], on all ranks.
    pub fn encode(&mut self, path: &Path) -> Result<Vec<u8>, TrainingError> {
        let (state, found) = self.state_on_first()?;
        if let Some(origin) = found {
            return Err(TrainingError::NonFinite(Box::new(NonFinite {
                epoch: self.epoch() + 1,
                step: self.position.step,
                pass: None,
                loss: None,
                lr: self.rate(self.steps_done().saturating_sub(1)),
                origin: Some(origin),
            })));
        }
        self.position.metrics = self.history.mark().clone();
        match state {
            Some(state) if self.ranks.is_first() => {
                Ok(Checkpoint { position: self.position.clone(), state }.encode(path)?)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Goes to where the checkpoint at `path` stands. Where what the epochs gave is not beside it, only the last of them is
    /// known.
    ///
    /// # Errors
    /// [`TrainingError::Checkpoint`], when it is damaged or of another run, another network or other data.
    pub fn restore(&mut self, path: &Path) -> Result<(), TrainingError> {
        let content =
            files::read(path).map_err(FileError::of(path, "read")).map_err(CheckpointError::from)?;
        self.restore_from(path, &content)
    }

    /// The same with the `content` of that file, which somebody else has read.
    ///
    /// # Errors
    /// As [`Trainer::restore`].
    pub fn restore_from(&mut self, path: &Path, content: &[u8]) -> Result<(), TrainingError> {
        let checkpoint = Checkpoint::decode(path, content).map_err(CheckpointError::of_the_run)?;
        let Checkpoint { mut position, state } = checkpoint;
        let mismatch = |field: &str, expected: String, found: String| CheckpointError::Mismatch {
            path: path.to_owned(),
            field: field.into(),
            expected,
            found,
        };
        let began = || serde_json::from_value::<Settings>(position.began_with.clone()).ok();
        if let Some((setting, expected, found)) = self.position.differing(&position)
            && !began().is_some_and(|began| self.settings.continues(&began))
        {
            return Err(mismatch(&setting, expected, found).into());
        }
        position.settings.clone_from(&self.position.settings);
        if self.position.data != position.data {
            return Err(mismatch("data", self.position.data.clone(), position.data).into());
        }
        let (epoch, step) = (position.epochs, position.step);
        let (epochs, steps) = (self.settings.epochs, self.timetable.steps(epoch));
        let beyond = epoch > epochs || step >= steps || (epoch == epochs && step > 0);
        let numbered = position.history.iter().zip(1..).all(|(metrics, number)| metrics.epoch == number)
            && position.last.map_or(0, |last| last.epoch) == epoch;
        if beyond || !numbered || position.skipped > step || position.rollbacks > MOST_ROLLBACKS {
            let RunPosition { skipped, rollbacks, .. } = position;
            let found = format!(
                "epoch {epoch} of {epochs}, step {step} of {steps}, {skipped} left out, {rollbacks} rollbacks"
            );
            return Err(mismatch("position", "a place in the run".into(), found).into());
        }
        self.learner.import(&state).map_err(|error| match error {
            LearnerError::State(error) => {
                mismatch("tensors", error.expected, format!("{} ({})", error.found, error.name)).into()
            }
            other => TrainingError::from(other),
        })?;
        let before = std::mem::take(&mut position.history);
        self.history = self.of_first(|| match before {
            before if !before.is_empty() => History::of(before),
            _ => History::read(&history::beside(path), &position.metrics)
                .unwrap_or_else(|| History::of(position.last)),
        });
        // A file of the old layout does not say what the run began with; that is the settings, by their digest.
        position.began_with.clone_from(&self.position.began_with);
        position.facts.clone_from(&self.position.facts);
        self.position = position;
        self.order = self.epoch_order();
        Ok(())
    }
}
