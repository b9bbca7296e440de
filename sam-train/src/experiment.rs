//! What the command does with training runs: one of them, many compared, steps timed.

pub mod ablate;
pub mod arms;
pub mod bench;
pub mod bound;
mod claim;
pub mod compare;
pub mod design;
pub mod disturbance;
pub mod findings;
pub mod finetune;
pub mod followed;
pub mod grid;
mod keeper;
pub mod landscape;
pub mod noise;
pub mod outcome;
pub mod predict_gap;
mod queue;
pub mod run_store;
pub mod runner;
pub mod shared;
pub mod snapshots;
pub mod spectrum;
pub mod train;
pub mod tune;

use std::path::PathBuf;

use crate::{
    data::DataError,
    files::FileError,
    import::weights::StartError,
    observer::ObserverError,
    ranks::agreement::PeerFailed,
    training::{
        checkpoint::CheckpointError, config::ConfigError, learner::LearnerError, memory::NotEnough,
        settings::InvalidSetting, trainer::TrainingError,
    },
};

/// Why an experiment gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The host wanted it to stop.
    #[error("interrupted: {done}; start the same again to go on")]
    Interrupted {
        /// What was kept.
        done: String,
        /// The directory of the run that can be resumed, if it is one run.
        resumable: Option<PathBuf>,
    },
    /// A new run would overwrite another.
    #[error(
        "{}: expected a directory without a run, found config.toml; `resume` it, or choose another `out`",
        .path.display()
    )]
    Occupied {
        /// The directory.
        path: PathBuf,
    },
    /// Two processes would write the same files.
    #[error("{}: expected a directory that no other process works in, found it locked; wait for that process or choose another `out`", .path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// Somebody has removed the directory, or put another in its place.
    #[error(
        "{}: expected the directory that the run began in, found none or another; what was done since its last \
         checkpoint is lost, start it again from a copy",
        .path.display()
    )]
    Replaced {
        /// The directory.
        path: PathBuf,
    },
    /// There is nothing to resume.
    #[error("{}: expected the directory of a run, found no config.toml; start one", .path.display())]
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
    /// The machine is too small for the run.
    #[error(transparent)]
    Memory(#[from] NotEnough),
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
    /// There is nothing to report on.
    #[error("{}: expected the result of an experiment as JSON, found {found}; name the directory of a finished experiment", .path.display())]
    NoResult {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        found: String,
    },
    /// The weights to start from cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An observer could not do its part.
    #[error(transparent)]
    Observer(#[from] ObserverError),
    /// Another rank has failed.
    #[error(transparent)]
    Peer(#[from] PeerFailed),
    /// Only one process can do it.
    #[error(
        "expected one process, found {ranks} ranks: `train`, `bench` and experiments share their work out, this does not; start it without a launcher"
    )]
    OneProcess {
        /// Processes that were started together.
        ranks: usize,
    },
}

impl ExperimentError {
    /// Whether it says no more than that another rank has failed, which has its own error.
    pub const fn is_of_peer(&self) -> bool {
        matches!(
            self,
            Self::Peer(_)
                | Self::Learner(LearnerError::Peer(_))
                | Self::Training(TrainingError::Learner(LearnerError::Peer(_)))
        )
    }
}

impl From<CheckpointError> for ExperimentError {
    fn from(error: CheckpointError) -> Self {
        Self::Training(error.into())
    }
}
