//! Which images the errors and losses of a run are of, and what they are called for it.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

/// The images that a run is evaluated on. Every output that names them takes the name from here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evaluated {
    /// The test set.
    #[default]
    Test,
    /// Training images that were held out.
    Validation,
}

impl Evaluated {
    /// One word: `test` or `validation`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Validation => "validation",
        }
    }

    /// Whether it is the test set, which files do not name.
    pub const fn is_test(&self) -> bool {
        matches!(self, Self::Test)
    }

    /// The head of a column, or the label of an axis, of errors.
    pub fn error_percent(self) -> String {
        format!("{self} error (%)")
    }

    /// The head of a column of what the number of these images alone leaves an error.
    pub fn alone(self) -> String {
        format!("{self} set alone (95 %)")
    }

    /// What the images are for, behind their number.
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Test => "to test on",
            Self::Validation => "to validate on",
        }
    }
}

impl Display for Evaluated {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
