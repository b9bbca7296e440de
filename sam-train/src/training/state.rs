//! The state of a learner on the host: named tensors.

use sha2::{Digest, Sha256};

/// What tensors belong to; the first part of their names.
pub const WEIGHTS: &str = "weights/";
/// Momentum of the base optimizer.
pub const MOMENTUM: &str = "momentum/";
/// Running statistics of batch norm.
pub const STATISTICS: &str = "statistics/";

/// A named array of numbers, the last dimension running fastest.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its group ([`WEIGHTS`], ...) and its name in the group.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// As many values as the product of the dimensions.
    pub values: Vec<f32>,
}

impl Tensor {
    /// Its group, without the slash.
    pub fn group(&self) -> &str {
        self.name.split_once('/').map_or("", |(group, _)| group)
    }

    /// The layer that it belongs to: its name without the group and the role.
    pub fn layer(&self) -> &str {
        let name = self.name.split_once('/').map_or(self.name.as_str(), |(_, name)| name);
        name.rsplit_once('.').map_or(name, |(layer, _)| layer)
    }
}

/// Tensors in a fixed order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// The tensors.
    pub tensors: Vec<Tensor>,
}

/// A state does not have the tensors expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tensor {name}: expected {expected}, found {found}; the state is of another network or optimizer")]
pub struct StateMismatch {
    /// The tensor.
    pub name: String,
    /// Its shape in the network.
    pub expected: String,
    /// What the state has.
    pub found: String,
}

impl State {
    /// SHA-256 over all weights (little-endian 32-bit, in order) in hexadecimal: equal if and only if they are.
    pub fn weights_sha256(&self) -> String {
        let mut hash = Sha256::new();
        let weights = self.tensors.iter().filter(|tensor| tensor.name.starts_with(WEIGHTS));
        for value in weights.flat_map(|tensor| &tensor.values) {
            hash.update(value.to_le_bytes());
        }
        crate::hex(&hash.finalize())
    }

    /// Makes sure that this state has exactly the tensors of `expected`, whatever their order and values.
    ///
    /// # Errors
    /// [`StateMismatch`] for the first tensor that differs.
    pub fn check_against(&self, expected: &Self) -> Result<(), StateMismatch> {
        let of =
            |tensor: Option<&Tensor>| tensor.map_or("none".to_owned(), |t| format!("shape {:?}", t.shape));
        let pairs = expected.tensors.iter().map(|tensor| (Some(tensor), self.get(&tensor.name)));
        let surplus = self.tensors.iter().map(|tensor| (expected.get(&tensor.name), Some(tensor)));
        for (expected, found) in pairs.chain(surplus) {
            if expected.map(|t| &t.shape) != found.map(|t| &t.shape) {
                let name = expected.or(found).map(|t| t.name.clone()).unwrap_or_default();
                return Err(StateMismatch { name, expected: of(expected), found: of(found) });
            }
        }
        Ok(())
    }

    /// The first tensor with an infinite or NaN value.
    pub fn first_nonfinite(&self) -> Option<&Tensor> {
        self.tensors.iter().find(|tensor| tensor.values.iter().any(|value| !value.is_finite()))
    }

    /// The tensors of a group ([`WEIGHTS`], ...), in order.
    pub fn group(&self, group: &str) -> impl Iterator<Item = &Tensor> {
        self.tensors.iter().filter(move |tensor| tensor.name.starts_with(group))
    }

    /// The tensor of that name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}
