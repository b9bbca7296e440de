//! What becomes of the images that are left over at the end of an epoch.

use serde::{Deserialize, Serialize};

use crate::named::named;

/// What becomes of the last batch of an epoch where it is smaller than the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastBatch {
    /// No step takes it, as in the paper's code. The order changes from epoch to epoch, and so do the images left out.
    #[default]
    Drop,
    /// A step takes it, with the learning rate of any other.
    Keep,
}

impl LastBatch {
    /// Whether it is dropped.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub fn is_drop(&self) -> bool {
        *self == Self::Drop
    }

    /// How many of an epoch's `images` its steps of `batch` images take.
    pub fn taken(self, images: usize, batch: usize) -> usize {
        match self {
            Self::Drop => images - images % batch,
            Self::Keep => images,
        }
    }
}

named!(LastBatch, "expected drop or keep", Drop = "drop", Keep = "keep");
