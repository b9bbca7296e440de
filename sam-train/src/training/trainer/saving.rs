//! A run's state: shown, written to a checkpoint, and taken from one.

use std::path::Path;

use super::{MOST_ROLLBACKS, Trainer, TrainingError};
use crate::{
    files,
    training::{
        checkpoint::{Checkpoint, CheckpointError, RunPosition},
        learner::LearnerError,
        nonfinite::{NonFinite, Origin},
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

    /// Writes where the run stands to `path`.
    ///
    /// # Errors
    /// [`TrainingError::NonFinite`], when the latest update made the state useless; [`TrainingError`], when the backend
    /// fails or the file cannot be written. In each case the file is as it was.
    pub fn save(&mut self, path: &Path) -> Result<(), TrainingError> {
        let content = self.encode(path)?;
        Ok(files::replace(path, &content).map_err(CheckpointError::from)?)
    }

    /// The content of the file that [`Trainer::save`] would write.
    ///
    /// # Errors
    /// As [`Trainer::save`].
    pub fn encode(&mut self, path: &Path) -> Result<Vec<u8>, TrainingError> {
        let state = self.state()?;
        if let Some(tensor) = state.first_nonfinite() {
            return Err(TrainingError::NonFinite(Box::new(NonFinite {
                epoch: self.epoch() + 1,
                step: self.position.step,
                pass: None,
                loss: None,
                lr: self.rate(self.steps_done().saturating_sub(1)),
                origin: Some(Origin::of_layer(tensor.group(), tensor.layer())),
            })));
        }
        Ok(Checkpoint { position: self.position.clone(), state }.encode(path)?)
    }

    /// Goes to where the checkpoint at `path` stands.
    ///
    /// # Errors
    /// [`TrainingError::Checkpoint`], when it is damaged or of another run, another network or other data.
    pub fn restore(&mut self, path: &Path) -> Result<(), TrainingError> {
        let Checkpoint { position, state } = Checkpoint::load(path)?;
        let mismatch = |field, expected: String, found: String| CheckpointError::Mismatch {
            path: path.to_owned(),
            field,
            expected,
            found,
        };
        for (field, expected, found) in [
            ("settings", &self.position.settings, &position.settings),
            ("data", &self.position.data, &position.data),
        ] {
            if expected != found {
                return Err(mismatch(field, expected.clone(), found.clone()).into());
            }
        }
        let (epoch, step) = (position.history.len(), position.step);
        let (epochs, steps) = (self.settings.epochs, self.timetable.steps(epoch));
        let beyond = epoch > epochs || step >= steps || (epoch == epochs && step > 0);
        let numbered = position.history.iter().zip(1..).all(|(metrics, number)| metrics.epoch == number);
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
        self.position = position;
        self.order = self.epoch_order();
        Ok(())
    }
}
