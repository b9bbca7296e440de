//! Weights from a file: a checkpoint, or an export with PyTorch's names and layouts.

use std::path::PathBuf;

use safetensors::{Dtype, SafeTensors};
use sam_model::Description;
use sha2::{Digest, Sha256};

use super::pytorch;
use crate::{
    files::{self, FileError},
    training::{
        checkpoint::Checkpoint,
        start::Start,
        state::{STATISTICS, State, Tensor, WEIGHTS},
    },
};

/// Why weights cannot start from a file.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is none of weights, or not of this network.
    #[error("{}: {what}: expected {expected}, found {found}; name a checkpoint or an export of the same network in `weights`", .path.display())]
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
    let given = match Checkpoint::decode(path, &content) {
        Ok(checkpoint) => checkpoint.state,
        Err(_) => {
            let tensors = SafeTensors::deserialize(&content)
                .map_err(|error| other("layout", "a whole safetensors file", error.to_string()))?;
            let exported = exported(&tensors)
                .map_err(|(name, found)| other(&name, "numbers of single precision", found))?;
            pytorch::state(description, &exported)
                .map_err(|error| other("tensors", "those of the network", error.to_string()))?
        }
    };
    let head = description.nodes().last().map_or_else(String::new, |node| node.name.to_string());
    let mut left = Vec::new();
    for tensor in &mut fresh.tensors {
        if ![WEIGHTS, STATISTICS].iter().any(|group| tensor.name.starts_with(group)) {
            continue;
        }
        match given.get(&tensor.name) {
            Some(found) if found.shape == tensor.shape => tensor.values.clone_from(&found.values),
            _ if tensor.layer() == head => left.push(tensor.name.clone()),
            found => {
                let found = found.map_or("none".to_owned(), |found| format!("shape {:?}", found.shape));
                return Err(other(&tensor.name, &format!("shape {:?}", tensor.shape), found));
            }
        }
    }
    Ok(left)
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
