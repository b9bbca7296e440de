//! From a network's description to where everything lies: which tensors share a buffer, which layers fuse, which
//! parameters belong to whom.

mod classes;
mod gradients;
mod segments;
mod slots;
mod values;

use crate::{buffer::Buffer, layout::Layout};
use classes::Classes;
use core::ops::Range;
use gradients::gradients;
use sam_model::{Description, Op};
pub use segments::Activations;
use segments::Segments;
use values::Values;

/// A tensor's place: which buffer, and how it lies there.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub slot: usize,
    pub layout: Layout,
}

impl Place {
    /// Its buffer among all, and how it lies there.
    pub fn of<T>(self, buffers: &[Buffer<T>]) -> (&[T], Layout) {
        (&buffers[self.slot], self.layout)
    }

    /// Its buffer among all, and how it lies there.
    pub fn of_mut<T>(self, buffers: &mut [Buffer<T>]) -> (&mut [T], Layout) {
        (&mut buffers[self.slot], self.layout)
    }
}

/// A node's part of the plan.
#[derive(Clone, Debug)]
pub struct Step {
    pub op: Op,
    /// The tensors it reads, then the one it makes.
    pub inputs: Vec<Edge>,
    pub output: usize,
    /// Nothing to do: a node beside it does it as well, or only the shape changes.
    pub skip: bool,
    /// A batch normalisation that applies the ReLU behind it, or a max-pooling the one before it.
    pub fused_relu: bool,
    /// Which part of the network it belongs to, whose activations are computed again as a whole.
    pub segment: usize,
    /// Whether nobody else reads its first input.
    pub alone: bool,
    pub params: Range<usize>,
    pub statistics: Range<usize>,
}

impl Step {
    /// The number of the node.
    pub const fn node(&self) -> usize {
        self.output - 1
    }
}

/// A tensor as a node's input.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    pub tensor: usize,
    /// Whether another node has put its share of the tensor's gradient in place before.
    pub accumulate: bool,
}

/// The whole network's plan.
#[derive(Debug)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// Where each tensor's values are.
    pub values: Vec<Place>,
    /// Where each tensor's gradient is, if anybody needs it.
    pub gradients: Vec<Option<Place>>,
    /// Elements a sample of each buffer of values and of gradients.
    pub value_slots: Vec<usize>,
    pub gradient_slots: Vec<usize>,
}

impl Plan {
    pub fn new(description: &Description, activations: Activations) -> Self {
        let nodes = description.nodes();
        let shared = Values::new(description);
        let segments = Segments::new(description, &shared.classes, activations);
        let (values, value_slots) = slots::values(description, &shared.classes, &segments);
        let (gradients, gradient_slots) = slots::gradients(description, &gradients(description, &shared));
        let mut plan =
            Self { steps: Vec::with_capacity(nodes.len()), values, gradients, value_slots, gradient_slots };
        for (i, node) in nodes.iter().enumerate() {
            let edge = |(position, &tensor): (usize, &usize)| Edge {
                tensor,
                accumulate: description.consumers(tensor).iter().any(|&other| other > i)
                    || node.inputs[..position].contains(&tensor),
            };
            let step = Step {
                op: node.op,
                inputs: node.inputs.iter().enumerate().map(edge).collect(),
                output: i + 1,
                skip: shared.fused[i] || (node.op == Op::Flatten && plan.same_places(node.inputs[0], i + 1)),
                fused_relu: shared.fused_relu[i],
                segment: segments.of(i),
                alone: description.sole_consumer(node.inputs[0]).is_some(),
                params: description.parameters().of_node(i),
                statistics: description.statistics().of_node(i),
            };
            plan.steps.push(step);
        }
        plan
    }

    /// Whether two tensors have their values in one place, and their gradients if anybody needs the first's.
    fn same_places(&self, first: usize, second: usize) -> bool {
        let gradient = |tensor: usize| self.gradients[tensor].map(|place| place.slot);
        self.values[first].slot == self.values[second].slot
            && gradient(first).is_none_or(|slot| gradient(second) == Some(slot))
    }
}
