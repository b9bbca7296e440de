//! Names of operations.

use core::fmt;

/// Name of an operation: unique within its network, stable across versions, the stem of its parameters' names
/// in checkpoints. Displays as `head` or `stage2.0.conv1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    block: Option<(usize, usize)>,
    local: &'static str,
    index: Option<usize>,
}

impl Name {
    /// A name at the top level of the network.
    #[must_use]
    pub const fn new(local: &'static str) -> Self {
        Self { block: None, local, index: None }
    }

    /// The `index`th of several alike at the top level: `dense1`, `dense2`, ...
    #[must_use]
    pub const fn numbered(local: &'static str, index: usize) -> Self {
        Self { block: None, local, index: Some(index) }
    }

    /// A name within a block of a stage.
    #[must_use]
    pub const fn in_block(stage: usize, block: usize, local: &'static str) -> Self {
        Self { block: Some((stage, block)), local, index: None }
    }
}

/// A name at the top level.
impl From<&'static str> for Name {
    fn from(local: &'static str) -> Self {
        Self::new(local)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((stage, block)) = self.block {
            write!(f, "stage{stage}.{block}.")?;
        }
        f.write_str(self.local)?;
        self.index.map_or(Ok(()), |index| write!(f, "{index}"))
    }
}
