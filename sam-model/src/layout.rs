//! Where the tensors of a network lie in one flat arena.

use crate::{DescriptionError, Init, Node, Parameter, Role, init, shape::MOST_VALUES};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::ops::Range;

/// A named tensor of a flat arena.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorInfo {
    /// Unique in its arena, as `stage2.0.conv1.weight`.
    pub name: String,
    /// Extents, row-major; filters are `[rows, columns, inputs, outputs]`, matrices `[inputs, outputs]`.
    pub shape: Vec<usize>,
    /// Where its values are.
    pub range: Range<usize>,
    /// What it is for.
    pub role: Role,
    /// How it starts.
    pub init: Init,
}

/// The layout of a flat arena: tensors one after the other without a gap, in the order of the operations that own them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArenaLayout {
    tensors: Vec<TensorInfo>,
    /// Of each node.
    nodes: Vec<Range<usize>>,
}

impl ArenaLayout {
    /// Lays out what `own` says that each node owns.
    pub(crate) fn new(nodes: &[Node], own: impl Fn(&Node) -> &[Parameter]) -> Result<Self, DescriptionError> {
        let mut layout = Self::default();
        for node in nodes {
            let first = layout.len();
            for parameter in own(node) {
                layout
                    .add(node, parameter)
                    .ok_or_else(|| DescriptionError::TooLarge { layer: node.name.to_string() })?;
            }
            layout.nodes.push(first..layout.len());
        }
        Ok(layout)
    }

    fn add(&mut self, node: &Node, parameter: &Parameter) -> Option<()> {
        let start = self.len();
        let end = start.checked_add(parameter.checked_len()?).filter(|&end| end <= MOST_VALUES)?;
        self.tensors.push(TensorInfo {
            name: format!("{}.{}", node.name, parameter.role),
            shape: parameter.shape.clone(),
            range: start..end,
            role: parameter.role,
            init: parameter.init,
        });
        Some(())
    }

    /// The tensors, in order.
    #[must_use]
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// Number of values of all tensors together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tensors.last().map_or(0, |tensor| tensor.range.end)
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the tensors of node `node` are.
    ///
    /// # Panics
    /// If there is no node of that number.
    #[must_use]
    pub fn of_node(&self, node: usize) -> Range<usize> {
        self.nodes[node].clone()
    }

    /// The values that a new network starts from, [`ArenaLayout::len`] of them in the order of the arena: a function of the
    /// seed alone. A backend in f32 rounds them.
    pub fn initial_values(&self, seed: u64) -> impl Iterator<Item = f64> + '_ {
        init::values(&self.tensors, seed)
    }
}
