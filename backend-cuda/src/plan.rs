//! From a network's description to what runs in which order, and where everything lies.

mod backward;
#[cfg(test)]
mod tests;
mod values;

use core::ops::Range;

use sam_model::{Description, Op};

use backward::Gradients;
use values::Values;

/// A node's part of the plan.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub op: Op,
    /// The tensors it reads and the one it makes.
    pub inputs: Vec<usize>,
    pub output: usize,
    /// Nothing to do forwards: the node before does it as well, or only the shape changes.
    pub skip: bool,
    /// A batch normalisation that applies the ReLU behind it.
    pub fused_relu: bool,
    pub params: Range<usize>,
    pub statistics: Range<usize>,
}

impl Step {
    /// The number of the node.
    pub const fn node(&self) -> usize {
        self.output - 1
    }
}

/// What the backward pass does with gradients of tensors; numbers are those of buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Backward {
    /// The step's own backward pass.
    Layer {
        step: usize,
        /// Which of its inputs the gradient is of.
        position: usize,
        d_output: usize,
        /// Where the input's gradient goes, and whether it is added to what is there; `None` if nobody needs it.
        d_input: Option<(usize, bool)>,
    },
    /// A gradient moves out of a buffer that others still need as it is: values a sample, from, to.
    Copy { len: usize, from: usize, to: usize },
    /// A gradient is added to another.
    Add { len: usize, from: usize, to: usize },
}

/// The whole network's plan.
#[derive(Debug)]
pub(crate) struct Plan {
    pub steps: Vec<Step>,
    /// Of each tensor the buffer of its values.
    pub values: Vec<usize>,
    /// Values a sample of each buffer.
    pub value_lens: Vec<usize>,
    /// The backward pass, in order.
    pub backward: Vec<Backward>,
    /// The buffer of the logits' gradient.
    pub d_logits: usize,
    /// Values a sample of each buffer of gradients.
    pub gradient_lens: Vec<usize>,
}

impl Plan {
    pub fn new(description: &Description) -> Self {
        let values = Values::new(description);
        let gradients = Gradients::new(description, &values);
        let mut steps = Vec::new();
        for (i, node) in description.nodes().iter().enumerate() {
            steps.push(Step {
                op: node.op,
                inputs: node.inputs.clone(),
                output: i + 1,
                skip: values.skip[i],
                fused_relu: values.fused_relu[i],
                params: description.parameters().of_node(i),
                statistics: description.statistics().of_node(i),
            });
        }
        Self {
            steps,
            values: values.buffers,
            value_lens: values.lens,
            backward: gradients.actions,
            d_logits: gradients.d_logits,
            gradient_lens: gradients.lens,
        }
    }
}
