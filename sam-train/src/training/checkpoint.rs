//! A run's state in a file: safetensors, written in one step, with a checksum.
//!
//! The tensors are the learner's ([`State`]); the header's metadata has `format` (name and version), `run` (JSON: which
//! run this is and where it stands) and `sha256` (over `run` and all tensors). Random numbers need no state of their
//! own: see [`crate::random`].

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{
    data_facts::DataFacts,
    history::HistoryMark,
    metrics::{EpochMetrics, EpochSums, number_or_nan},
    settings::Settings,
    state::{State, Tensor},
};
use crate::{
    files::{self, FileError},
    json,
};

/// Changes whenever a file of the old layout would be misread.
const FORMAT: &str = "sam-checkpoint-2";
/// Written before: it held what each epoch gave, where there is a mark now.
const FORMAT_BEFORE: &str = "sam-checkpoint-1";
/// What safetensors calls something that is no tensor.
const RESERVED: &str = "__metadata__";

/// What to do about a file that is no checkpoint, if it is one that somebody named.
const NAME_ANOTHER: &str = "name a checkpoint that sam has written";
/// And if it is where a run stands.
const START_AGAIN: &str = "delete it to start the run again";

/// Which run, and where it stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunPosition {
    /// [`Settings::digest`].
    pub settings: String,
    /// Those settings themselves, to say which of them differs; nothing in files written before.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub began_with: Value,
    /// [`crate::data::Dataset::fingerprint`].
    pub data: String,
    /// What is needed of the data to use the network; nothing in files written before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<DataFacts>,
    /// Epochs completed.
    #[serde(default)]
    pub epochs: usize,
    /// Where what they gave is written.
    #[serde(default)]
    pub metrics: HistoryMark,
    /// What the last of them gave.
    #[serde(default)]
    pub last: Option<EpochMetrics>,
    /// What each of them gave, in a file written before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<EpochMetrics>,
    /// Steps completed in the epoch after those.
    pub step: usize,
    /// Sum of the losses of these steps.
    #[serde(deserialize_with = "number_or_nan")]
    pub loss_sum: f64,
    /// Seconds spent on these steps.
    #[serde(deserialize_with = "number_or_nan")]
    pub seconds: f64,
    /// What else these steps told.
    #[serde(default, skip_serializing_if = "EpochSums::is_empty")]
    pub sums: EpochSums,
    /// How many of these steps were left out because their loss or gradient was not finite.
    #[serde(default)]
    pub skipped: usize,
    /// How many steps before this place were left out without one between that was made.
    #[serde(default)]
    pub skipped_in_a_row: usize,
    /// What its steps were computed with; nothing in files written before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arithmetic: Option<String>,
    /// How often the run went back to a checkpoint: the learning rate was halved each time.
    #[serde(default)]
    pub rollbacks: u32,
}

impl RunPosition {
    /// The start of a run of `settings` on the data with the fingerprint `data`.
    pub fn start(settings: &Settings, data: &str) -> Self {
        Self {
            settings: settings.digest(),
            // Settings are written as JSON for their digest too.
            began_with: serde_json::to_value(settings).unwrap_or_default(),
            data: data.to_owned(),
            ..Self::default()
        }
    }

    /// The first setting in which the run of `other` differs: its name, and its values here and there.
    pub(super) fn differing(&self, other: &Self) -> Option<(String, String, String)> {
        if self.settings == other.settings {
            return None;
        }
        let digests = || ("settings".to_owned(), self.settings.clone(), other.settings.clone());
        Some(difference("", &self.began_with, &other.began_with).unwrap_or_else(digests))
    }
}

/// Every entry in which the settings `here` and `there` differ: its name, and its values; an absent one is `none`.
pub fn differences(here: &Value, there: &Value) -> Vec<(String, String, String)> {
    let (mut here, mut found) = (here.clone(), Vec::new());
    while let Some((name, own, other)) = difference("", &here, there) {
        // What was found is made equal, and the next one looked for.
        let mut places = (&mut here, there);
        for part in name.split('.') {
            if !places.0.is_object() {
                *places.0 = Value::Object(Map::new());
            }
            places = (&mut places.0[part], &places.1[part]);
        }
        *places.0 = places.1.clone();
        found.push((name, own, other));
    }
    found
}

/// The first entry in which two values differ, and its values; an absent one is `none`. `name` is that of the values.
fn difference(name: &str, here: &Value, there: &Value) -> Option<(String, String, String)> {
    match (here, there) {
        // Files written before do not say.
        (_, Value::Null) if name.is_empty() => None,
        (Value::Object(own), Value::Object(other)) => {
            let names = own.keys().chain(other.keys().filter(|name| !own.contains_key(*name)));
            let entry =
                |entries: &Map<String, Value>, name: &str| entries.get(name).cloned().unwrap_or(Value::Null);
            names.into_iter().find_map(|inner| {
                let full = if name.is_empty() { inner.clone() } else { format!("{name}.{inner}") };
                difference(&full, &entry(own, inner), &entry(other, inner))
            })
        }
        (here, there) if here == there => None,
        (here, there) => {
            let text = |value: &Value| match value {
                Value::Null => "none".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            Some((name.to_owned(), text(here), text(there)))
        }
    }
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
    #[error("{}: {field}: expected {expected}, found {found}; {advice}", .path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The part of the file that is wrong.
        field: &'static str,
        /// What should be there.
        expected: Box<str>,
        /// What is there.
        found: Box<str>,
        /// What to do, which depends on whose file it is.
        advice: &'static str,
    },
    /// The file is of a version that this one does not know.
    #[error("{}: format: expected {FORMAT} or {FORMAT_BEFORE}, found {found}; use the version of sam that wrote it", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: String,
    },
    /// The file belongs to another run.
    #[error("{}: {field}: expected {expected}, found {found}; it is of another run, resume with what it began with", .path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What differs.
        field: Box<str>,
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

impl CheckpointError {
    /// The same about the file that a run stands at: no other may be deleted.
    #[must_use]
    pub fn of_the_run(self) -> Self {
        match self {
            Self::Broken { path, field, expected, found, .. } => {
                Self::Broken { path, field, expected, found, advice: START_AGAIN }
            }
            other => other,
        }
    }
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
        if self.state.tensors.iter().any(|tensor| tensor.name == RESERVED) {
            return Err(layout(format!(
                "a tensor is named {RESERVED:?}, as the format names something else"
            )));
        }
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
        Self::decode(path, &files::read(path).map_err(FileError::of(path, "read"))?)
    }

    /// Reads a checkpoint from its file's `content`; `path` says in errors which.
    ///
    /// # Errors
    /// As [`Checkpoint::load`].
    pub fn decode(path: &Path, content: &[u8]) -> Result<Self, CheckpointError> {
        let broken = |field, expected: &str, found: String| CheckpointError::Broken {
            path: path.to_owned(),
            field,
            expected: expected.into(),
            found: found.into(),
            advice: NAME_ANOTHER,
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
        let format = entry("format")?;
        if !format.starts_with("sam-checkpoint-") {
            return Err(broken("format", FORMAT, format.clone()));
        }
        if ![FORMAT, FORMAT_BEFORE].contains(&format.as_str()) {
            return Err(CheckpointError::Format { path: path.to_owned(), found: format.clone() });
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
        let mut position: RunPosition = serde_json::from_str(run)
            .map_err(|error| broken("run", "where the run stands, as JSON", error.to_string()))?;
        if let Some(&last) = position.history.last() {
            (position.epochs, position.last) = (position.history.len(), Some(last));
        }
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
