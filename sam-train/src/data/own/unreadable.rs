//! What of one's own data could not be read.

use std::{fmt, path::PathBuf};

/// A file, or a row of one, that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The file.
    pub path: PathBuf,
    /// The row, from 1, where the file has rows.
    pub line: Option<u64>,
    /// What was expected and found.
    pub reason: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ", line {line}"))?;
        write!(f, ": {}", self.reason)
    }
}
