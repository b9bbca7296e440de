//! `config.toml`: a run's settings in a file that people read and that a run resumes from.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    backend::BackendName,
    kernel_choice::KernelChoice,
    nonfinite::OnNonFinite,
    overlap::Overlap,
    precision::Precision,
    range::Range,
    settings::{InvalidSetting, Settings},
    shard_state::ShardState,
};
use crate::files::{self, FileError};

/// A run and where it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What is done about a loss or gradient that is not finite.
    #[serde(default, rename = "on-nonfinite")]
    pub on_nonfinite: OnNonFinite,
    /// The recipe that the settings began with, and how far it was shrunk: words, which nothing goes by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// What may differ when the run is resumed.
    pub machine: Machine,
    /// What may not.
    pub run: Settings,
}

/// What a run's speed depends on, but not its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Machine {
    /// What computes: the same run on another backend has other roundings, but goes on from its checkpoints.
    #[serde(default, skip_serializing_if = "is_default")]
    pub backend: BackendName,
    /// Which GPU, as the driver counts them from 0 on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub device: u32,
    /// The numbers that the backend multiplies; each kind rounds in its own way.
    #[serde(default, skip_serializing_if = "is_default")]
    pub precision: Precision,
    /// Whose kernels multiply; each maker's round in their own way.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kernels: KernelChoice,
    /// Whether sums over ranks begin while gradients are computed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overlap: Overlap,
    /// Whether ranks keep a part each of the run's state.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shard_state: ShardState,
    /// Threads that compute.
    pub threads: usize,
    /// Where the data set lies, if not in its usual places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// MiB of a temporary file that keeps decoded pictures, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture_cache: Option<usize>,
}

impl Machine {
    /// How many threads there may be.
    pub const THREADS: Range = Range::Whole(1, 1024);
    /// How large the file of decoded pictures may be, in MiB: up to 16 TiB.
    pub const PICTURE_CACHE: Range = Range::Whole(1, 16 << 20);

    /// Makes sure that every number is in its range.
    ///
    /// # Errors
    /// [`InvalidSetting`] for the first that is not.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        Self::THREADS.check_whole("threads", self.threads)?;
        self.picture_cache.map_or(Ok(()), |limit| Self::PICTURE_CACHE.check_whole("picture-cache", limit))
    }

    /// The processor, with so many threads.
    pub fn cpu(threads: usize) -> Self {
        Self {
            backend: BackendName::Cpu,
            device: 0,
            precision: Precision::default(),
            kernels: KernelChoice::default(),
            overlap: Overlap::default(),
            shard_state: ShardState::default(),
            threads,
            data_dir: None,
            picture_cache: None,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not TOML, or a key is missing, unknown or of the wrong type.
    #[error("{}: {message}; restore the file or start the run again with another `out`", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        message: String,
    },
    /// A value is out of its range.
    #[error("{}: {source}", .path.display())]
    Setting {
        /// The file.
        path: PathBuf,
        /// Which value.
        source: InvalidSetting,
    },
}

impl Config {
    /// Writes the configuration to `path`.
    ///
    /// # Errors
    /// [`ConfigError`], when it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ConfigError> {
        Ok(files::replace(path, self.encode(path)?.as_bytes())?)
    }

    /// The text of the file; `path` says in errors which.
    ///
    /// # Errors
    /// [`ConfigError::Syntax`], when a value has no text, e.g. a directory that is not UTF-8.
    pub fn encode(&self, path: &Path) -> Result<String, ConfigError> {
        toml::to_string(self)
            .map_err(|error| ConfigError::Syntax { path: path.to_owned(), message: error.to_string() })
    }

    /// Reads the configuration at `path`.
    ///
    /// # Errors
    /// [`ConfigError`], when it cannot be read or has no meaning.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::decode(path, &files::read_text(path).map_err(FileError::of(path, "read"))?)
    }

    /// Reads a configuration from its file's text; `path` says in errors which.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn decode(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
            let message = format!("line {line}: {}", error.message());
            ConfigError::Syntax { path: path.to_owned(), message }
        })?;
        let checked = config.machine.check().and_then(|()| config.run.check());
        checked.map_err(|source| ConfigError::Setting { path: path.to_owned(), source })?;
        Ok(config)
    }
}
