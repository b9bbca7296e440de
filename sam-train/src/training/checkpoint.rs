//! A run's state in a file: safetensors, written in one step, with a checksum.
//!
//! The tensors are the learner's ([`State`]); the header's metadata has `format` (name and version), `run` (JSON: which
//! run this is and where it stands) and `sha256` (over `run` and all tensors). Random numbers need no state of their
//! own: see [`crate::random`].

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    metrics::EpochMetrics,
    state::{State, Tensor},
};
use crate::{
    files::{self, FileError},
    json,
};

/// Changes whenever a file of the old layout would be misread.
const FORMAT: &str = "sam-checkpoint-1";

/// Which run, and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunPosition {
    /// [`super::settings::Settings::digest`].
    pub settings: String,
    /// [`crate::data::Dataset::fingerprint`].
    pub data: String,
    /// The epochs completed.
    pub history: Vec<EpochMetrics>,
    /// Steps completed in the epoch after those.
    pub step: usize,
    /// Sum of the losses of these steps.
    pub loss_sum: f64,
    /// Seconds spent on these steps.
    pub seconds: f64,
    /// How many of these steps were left out because their loss or gradient was not finite.
    #[serde(default)]
    pub skipped: usize,
    /// How many steps before this place were left out without one between that was made.
    #[serde(default)]
    pub skipped_in_a_row: usize,
    /// How often the run went back to a checkpoint: the learning rate was halved each time.
    #[serde(default)]
    pub rollbacks: u32,
}

/// A run that can go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Which run, and where it stands.
    pub position: RunPosition,
    /// The learner's state.
    pub state: State,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is no checkpoint, or damaged.
    #[error("{}: {field}: expected {expected}, found {found}; delete it to start the run again", .path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The part of the file that is wrong.
        field: &'static str,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The file belongs to another run.
    #[error("{}: {field}: expected {expected}, found {found}; it is of another run, resume with what it began with", .path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What differs.
        field: &'static str,
        /// What this run has.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// The tensors cannot be laid out in a file.
    #[error("{}: cannot be written: {cause}", .path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
}

impl Checkpoint {
    /// Writes the checkpoint to `path`; a crash leaves the old file or the new one.
    ///
    /// # Errors
    /// [`CheckpointError::File`], when it cannot be written; the old file is then as it was.
    pub fn save(&self, path: &Path) -> Result<(), CheckpointError> {
        Ok(files::replace(path, &self.encode(path)?)?)
    }

    /// The content of the file; `path` says in errors which.
    ///
    /// # Errors
    /// [`CheckpointError::Layout`], when a tensor's values are not as many as its shape says, or two have one name.
    pub fn encode(&self, path: &Path) -> Result<Vec<u8>, CheckpointError> {
        let layout = |cause| CheckpointError::Layout { path: path.to_owned(), cause };
        let run = json::line(&self.position);
        let bytes: Vec<Vec<u8>> = self.state.tensors.iter().map(little_endian).collect();
        let mut hash = Sha256::new_with_prefix(&run);
        let mut views = Vec::new();
        for (tensor, bytes) in self.state.tensors.iter().zip(&bytes) {
            add_tensor(&mut hash, &tensor.name, &tensor.shape, bytes);
            let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)
                .map_err(|e| layout(e.to_string()))?;
            // The writer of the format would panic.
            if views.iter().any(|(name, _)| *name == tensor.name) {
                return Err(layout(format!("two tensors are named {:?}", tensor.name)));
            }
            views.push((tensor.name.as_str(), view));
        }
        let names: Vec<_> = views.iter().map(|(name, _)| name).collect();
        let metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("run".to_owned(), run),
            ("sha256".to_owned(), crate::hex(&hash.finalize())),
            // safetensors sorts tensors by name: the learner's order is kept here.
            ("order".to_owned(), json::line(&names)),
        ]);
        safetensors::serialize(views, Some(metadata)).map_err(|e| layout(e.to_string()))
    }

    /// Reads the checkpoint at `path`.
    ///
    /// # Errors
    /// [`CheckpointError`], when the file cannot be read, is damaged, or is no checkpoint.
    pub fn load(path: &Path) -> Result<Self, CheckpointError> {
        Self::decode(path, &fs::read(path).map_err(FileError::of(path, "read"))?)
    }

    /// Reads a checkpoint from its file's `content`; `path` says in errors which.
    ///
    /// # Errors
    /// As [`Checkpoint::load`].
    pub fn decode(path: &Path, content: &[u8]) -> Result<Self, CheckpointError> {
        let broken = |field, expected: &str, found: String| CheckpointError::Broken {
            path: path.to_owned(),
            field,
            expected: expected.to_owned(),
            found,
        };
        let file = |error: safetensors::SafeTensorError| {
            broken(
                "layout",
                "a whole safetensors file",
                format!("{} bytes of something else ({error})", content.len()),
            )
        };
        let (_, header) = SafeTensors::read_metadata(content).map_err(file)?;
        let tensors = SafeTensors::deserialize(content).map_err(file)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let entry = |key: &'static str| {
            metadata.get(key).ok_or_else(|| broken(key, "an entry in the metadata", "none".into()))
        };
        if entry("format")? != FORMAT {
            return Err(broken("format", FORMAT, entry("format")?.clone()));
        }
        let run = entry("run")?;
        let order: Vec<String> = serde_json::from_str(entry("order")?)
            .map_err(|error| broken("order", "a list of names", error.to_string()))?;
        let mut hash = Sha256::new_with_prefix(run);
        let mut state = State::default();
        for name in order {
            let view = tensors
                .tensor(&name)
                .map_err(|error| broken("order", "names of tensors", error.to_string()))?;
            if view.dtype() != Dtype::F32 {
                return Err(broken("tensor type", "F32", format!("{:?} in {name}", view.dtype())));
            }
            add_tensor(&mut hash, &name, view.shape(), view.data());
            let values = view.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
            state.tensors.push(Tensor { name, shape: view.shape().to_vec(), values });
        }
        let found = crate::hex(&hash.finalize());
        if *entry("sha256")? != found {
            return Err(broken("sha256", entry("sha256")?, found));
        }
        if state.tensors.len() != tensors.len() {
            return Err(broken("tensors", &state.tensors.len().to_string(), tensors.len().to_string()));
        }
        if let Some(tensor) = state.first_nonfinite() {
            return Err(broken(
                "tensors",
                "finite values",
                format!("an infinite or NaN one in {}", tensor.name),
            ));
        }
        let position = serde_json::from_str(run)
            .map_err(|error| broken("run", "where the run stands, as JSON", error.to_string()))?;
        Ok(Self { position, state })
    }
}

fn add_tensor(hash: &mut Sha256, name: &str, shape: &[usize], bytes: &[u8]) {
    hash.update(format!("\n{name} {shape:?}\n"));
    hash.update(bytes);
}

fn little_endian(tensor: &Tensor) -> Vec<u8> {
    tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
