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

impl StateMismatch {
    /// Of a tensor whose shapes differ.
    fn of(expected: Option<&Tensor>, found: Option<&Tensor>) -> Self {
        let shape =
            |tensor: Option<&Tensor>| tensor.map_or("none".to_owned(), |t| format!("shape {:?}", t.shape));
        let name = expected.or(found).map(|tensor| tensor.name.clone()).unwrap_or_default();
        Self { name, expected: shape(expected), found: shape(found) }
    }
}

/// What becomes of the layer of logits where a network starts from another's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// It is taken over if it has as many classes.
    IfItFits,
    /// It starts at zero, so that its first gradients change nothing but itself: drawn at random it may be so far off that they spoil
    /// what was learnt.
    Zero,
}

impl State {
    /// Takes over weights and running statistics of `given`, and leaves everything else as it is; returns the names of the weights
    /// that are not `given`'s: those of the layer of logits, which is the last.
    ///
    /// # Errors
    /// [`StateMismatch`], when another layer is not there or of another shape; then some were taken over before.
    pub fn take_over(&mut self, given: &Self, head: Head) -> Result<Vec<String>, StateMismatch> {
        let last = self.tensors.iter().rfind(|tensor| tensor.name.starts_with(WEIGHTS));
        let last = last.map_or_else(String::new, |tensor| tensor.layer().to_owned());
        let mut left = Vec::new();
        for tensor in &mut self.tensors {
            if ![WEIGHTS, STATISTICS].iter().any(|group| tensor.name.starts_with(group)) {
                continue;
            }
            let is_head = tensor.layer() == last;
            let found = given.get(&tensor.name);
            match found.filter(|found| found.shape == tensor.shape && !(is_head && head == Head::Zero)) {
                Some(found) => tensor.values.clone_from(&found.values),
                None if is_head => {
                    if head == Head::Zero {
                        tensor.values.fill(0.0);
                    }
                    left.push(tensor.name.clone());
                }
                None => return Err(StateMismatch::of(Some(tensor), found)),
            }
        }
        Ok(left)
    }

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
        let pairs = expected.tensors.iter().map(|tensor| (Some(tensor), self.get(&tensor.name)));
        let surplus = self.tensors.iter().map(|tensor| (expected.get(&tensor.name), Some(tensor)));
        for (expected, found) in pairs.chain(surplus) {
            if expected.map(|t| &t.shape) != found.map(|t| &t.shape) {
                return Err(StateMismatch::of(expected, found));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn network(head: usize, value: f32) -> State {
        let tensor = |name: &str, size: usize| Tensor {
            name: name.into(),
            shape: vec![size],
            values: vec![value; size],
        };
        State {
            tensors: vec![
                tensor("weights/body.weight", 3),
                tensor("weights/logits.weight", head),
                tensor("weights/logits.bias", head),
                tensor("statistics/body.running_mean", 3),
                tensor("momentum/body.weight", 3),
            ],
        }
    }

    #[test]
    fn weights_and_statistics_are_taken_over_and_the_head_as_asked() {
        let cases = [
            (5, Head::Zero, [1.0, 0.0, 0.0, 1.0, 2.0]),
            (10, Head::Zero, [1.0, 0.0, 0.0, 1.0, 2.0]),
            (5, Head::IfItFits, [1.0, 2.0, 2.0, 1.0, 2.0]),
            (10, Head::IfItFits, [1.0, 1.0, 1.0, 1.0, 2.0]),
        ];
        for (classes, head, expected) in cases {
            let mut state = network(classes, 2.0);
            let left = state.take_over(&network(10, 1.0), head).unwrap();
            let values: Vec<f32> = state.tensors.iter().map(|tensor| tensor.values[0]).collect();
            assert_eq!(values, expected, "{classes} {head:?}");
            assert_eq!(left.len(), if expected[1] == 1.0 { 0 } else { 2 });
        }
        let other = State {
            tensors: vec![Tensor {
                name: "weights/body.weight".into(),
                shape: vec![4],
                values: vec![1.0; 4],
            }],
        };
        assert_eq!(network(5, 0.0).take_over(&other, Head::Zero).unwrap_err().name, "weights/body.weight");
    }
}
