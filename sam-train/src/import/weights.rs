//! Weights from a file: a checkpoint, an export, or a network as it was published.

use std::{path::PathBuf, sync::OnceLock};

use safetensors::{Dtype, SafeTensors};
use sam_model::Description;
use sha2::{Digest, Sha256};

use super::{names, onnx, torch};
use crate::{
    export::pytorch,
    files::{self, FileError},
    training::{
        checkpoint::Checkpoint,
        start::Start,
        state::{Head, State, StateMismatch, Tensor},
    },
};

/// Why weights cannot start from a file.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is none of weights, or not of this network.
    #[error("{}: {what}: expected {expected}, found {found}; name a checkpoint, an export or a published file of the same network in `weights`", .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// The part of it.
        what: String,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
}

/// The weights and running statistics in the file, by the names that the network of `description` has for them; what the file has besides
/// is left out.
///
/// # Errors
/// [`StartError`], when the file has changed, or is none of weights.
pub fn read(start: &Start, description: &Description) -> Result<State, StartError> {
    let path = &start.file;
    let content = files::read(path).map_err(FileError::of(path, "read"))?;
    let other = |what: &str, expected: &str, found: String| StartError::Other {
        path: path.clone(),
        what: what.to_owned(),
        expected: expected.to_owned(),
        found,
    };
    let sha256 = crate::hex(&Sha256::digest(&content));
    if sha256 != start.sha256 {
        return Err(other("sha256", &start.sha256, sha256));
    }
    if let Ok(checkpoint) = Checkpoint::decode(path, &content) {
        return Ok(checkpoint.state);
    }
    let mut tensors = if torch::is_torch(&content) {
        torch::read(&content)
            .map_err(|error| other("file of torch.save", "a dictionary of tensors", error.to_string()))?
    } else if onnx::is_onnx(&content) {
        onnx::read(&content).map_err(|error| other("ONNX model", "tensors", error.to_string()))?
    } else {
        let file = SafeTensors::deserialize(&content).map_err(|error| {
            other(
                "layout",
                "a whole safetensors file, an ONNX model, or a file of torch.save",
                error.to_string(),
            )
        })?;
        exported(&file).map_err(|(name, found)| other(&name, "numbers of single precision", found))?
    };
    let theirs = tensors.first().map_or_else(|| "none".to_owned(), |tensor| tensor.name.clone());
    names::adopt(description, &mut tensors);
    let state = pytorch::state(description, &tensors)
        .map_err(|error| other("tensors", "those of the network", error.to_string()))?;
    // Shapes alone say nothing: two layers of one shape may stand in any order.
    let layer = |tensor: &Tensor| tensor.name.rsplit_once('.').map(|(layer, _)| layer.to_owned());
    let known = |layer: String| description.nodes().iter().any(|node| node.name.to_string() == layer);
    if !tensors.iter().filter_map(layer).any(known) {
        let named = description.nodes().iter().find(|node| !node.parameters.is_empty());
        let own = named.map_or_else(String::new, |node| format!(", such as {}.weight", node.name));
        return Err(other(
            "names of tensors",
            &format!("those of an export or of a published file{own}"),
            theirs,
        ));
    }
    Ok(state)
}

/// The weights in a file, which is read once.
#[derive(Debug, Clone)]
pub struct Weights {
    /// The file.
    pub start: Start,
    state: OnceLock<State>,
}

impl Weights {
    /// Those of a file that is read when they are needed.
    pub const fn new(start: Start) -> Self {
        Self { start, state: OnceLock::new() }
    }

    /// The weights and running statistics, as [`read`].
    ///
    /// # Errors
    /// As [`read`].
    pub fn state(&self, description: &Description) -> Result<&State, StartError> {
        if let Some(state) = self.state.get() {
            return Ok(state);
        }
        let state = read(&self.start, description)?;
        Ok(self.state.get_or_init(|| state))
    }

    /// As [`start_from`].
    ///
    /// # Errors
    /// As [`start_from`].
    pub fn begin(&self, description: &Description, fresh: &mut State) -> Result<Vec<String>, StartError> {
        let taken = fresh.take_over(self.state(description)?, Head::IfItFits);
        taken.map_err(|StateMismatch { name, expected, found }| StartError::Other {
            path: self.start.file.clone(),
            what: name,
            expected,
            found,
        })
    }
}

/// Puts the file's weights and running statistics in the place of those of `fresh`, the state of the network of `description` at its
/// start; returns the names of the tensors that were left as they are: those of the logits, where the file's are of other classes.
///
/// # Errors
/// [`StartError`], when the file has changed, or is of another network.
pub fn start_from(
    start: &Start,
    description: &Description,
    fresh: &mut State,
) -> Result<Vec<String>, StartError> {
    Weights::new(start.clone()).begin(description, fresh)
}

/// The tensors of an export; of one that is not of single precision its name and type.
fn exported(file: &SafeTensors<'_>) -> Result<Vec<Tensor>, (String, String)> {
    let tensor = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
        if view.dtype() != Dtype::F32 {
            return Err((name, format!("{:?}", view.dtype())));
        }
        let values = view.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        Ok(Tensor { name, shape: view.shape().to_vec(), values })
    };
    file.tensors().into_iter().map(tensor).collect()
}
