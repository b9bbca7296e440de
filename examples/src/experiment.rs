//! What the command does with training runs: one of them, many compared, steps timed.

pub mod bench;
pub mod compare;
mod queue;
pub mod run_store;
pub mod summary;
pub mod train;

use std::path::PathBuf;

use crate::{
    data::DataError,
    files::FileError,
    report::plot::PlotError,
    training::{
        checkpoint::CheckpointError, config::ConfigError, learner::LearnerError, settings::InvalidSetting,
        trainer::TrainingError,
    },
};

/// Why an experiment gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The user stopped it.
    #[error("interrupted: {done}; go on with: {advice}")]
    Interrupted {
        /// What was kept.
        done: String,
        /// The command that resumes.
        advice: String,
    },
    /// A new run would overwrite another.
    #[error(
        "{}: expected a directory without a run, found config.toml; go on with it by --resume, or choose another --out",
        .path.display()
    )]
    Occupied {
        /// The directory.
        path: PathBuf,
    },
    /// There is nothing to resume.
    #[error("{}: expected the directory of a run, found no config.toml; start one with sam train --out", .path.display())]
    NoRun {
        /// The directory.
        path: PathBuf,
    },
    /// A stored run that has no meaning.
    #[error("{}, line {line}: expected a run as JSON, found {found}; delete the line to repeat that run", .path.display())]
    StoredRun {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        found: String,
    },
    /// A stored result that has no meaning.
    #[error("{}: expected the result of a run as JSON, found {found}; delete it and resume the run", .path.display())]
    StoredResult {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        found: String,
    },
    /// A setting is out of range.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// The data set cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// `config.toml` cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The backend failed.
    #[error(transparent)]
    Learner(#[from] LearnerError),
    /// Training failed.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// One of many runs failed.
    #[error("{run}: {source}")]
    Run {
        /// Which one.
        run: String,
        /// Why.
        source: TrainingError,
    },
    /// A picture cannot be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
}

impl From<CheckpointError> for ExperimentError {
    fn from(error: CheckpointError) -> Self {
        Self::Training(error.into())
    }
}
