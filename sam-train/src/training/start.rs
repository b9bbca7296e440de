//! The file that weights start from, where they do not start afresh.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::files::{self, FileError};

/// The file that weights start from, and what was in it: another file of that name is another run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The file.
    pub file: PathBuf,
    /// SHA-256 of its content in hexadecimal.
    pub sha256: String,
}

impl Start {
    /// The file as it is now.
    ///
    /// # Errors
    /// [`FileError`], when it cannot be read.
    pub fn of(path: &Path) -> Result<Self, FileError> {
        let content = files::read(path).map_err(FileError::of(path, "read"))?;
        let file = std::path::absolute(path).map_err(FileError::of(path, "found"))?;
        Ok(Self { file, sha256: crate::hex(&Sha256::digest(content)) })
    }
}
