//! The recipe that results follow, and how far it was shrunk: what each of them says.

use std::fmt;

use serde::{Serialize, Serializer};

/// A recipe that was followed.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    /// Its name.
    pub recipe: String,
    /// The share that it was shrunk to, and what became of it.
    pub scaled: Option<(f64, String)>,
}

impl Followed {
    /// What a picture has room for; nothing where the recipe was followed as a whole.
    pub fn in_short(&self) -> Option<String> {
        self.scaled.as_ref().map(|(share, _)| format!("scaled by {share}"))
    }
}

impl fmt::Display for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recipe, scaled } = self;
        match scaled {
            None => write!(f, "Recipe {recipe}."),
            Some((share, changes)) => {
                write!(f, "Recipe {recipe}, scaled by {share}: {changes}. Its figures are not the paper's.")
            }
        }
    }
}

impl Serialize for Followed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
