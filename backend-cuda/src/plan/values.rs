//! Which tensors share a buffer of values.

use sam_model::{Description, Op};

/// Buffers for the values of all tensors: one each, since the backward pass wants them, except where a tensor may take
/// the place of the one that it is made from.
pub(super) struct Values {
    /// Of each tensor.
    pub buffers: Vec<usize>,
    /// Values a sample of each buffer.
    pub lens: Vec<usize>,
    /// Of each node.
    pub skip: Vec<bool>,
    pub fused_relu: Vec<bool>,
}

impl Values {
    pub fn new(description: &Description) -> Self {
        let nodes = description.nodes().len();
        let mut own = Self {
            buffers: vec![0],
            lens: vec![description.shape(0).len()],
            skip: vec![false; nodes],
            fused_relu: vec![false; nodes],
        };
        for (i, node) in description.nodes().iter().enumerate() {
            let input = node.inputs[0];
            let buffer = match node.op {
                Op::Flatten => {
                    own.skip[i] = true;
                    own.buffers[input]
                }
                Op::Relu if follows_norm(description, input) => {
                    own.skip[i] = true;
                    own.fused_relu[input - 1] = true;
                    own.buffers[input]
                }
                Op::Relu | Op::Add | Op::Dropout { .. } | Op::DropConnect { .. } | Op::ShakeDrop { .. }
                    if own.may_be_overwritten(description, input) =>
                {
                    own.buffers[input]
                }
                _ => own.add(description.shape(i + 1).len()),
            };
            own.buffers.push(buffer);
        }
        own
    }

    fn add(&mut self, len: usize) -> usize {
        self.lens.push(len);
        self.lens.len() - 1
    }

    /// Whether nobody needs the values once the one node that reads them has: a ReLU needs its own in the backward
    /// pass, and a flattened tensor is still another one.
    fn may_be_overwritten(&self, description: &Description, tensor: usize) -> bool {
        let Some(producer) = description.producer(tensor) else { return false };
        description.sole_consumer(tensor).is_some()
            && !matches!(producer.op, Op::Relu | Op::Flatten)
            && !self.fused_relu[tensor - 1]
    }
}

/// Whether a normalisation makes the tensor for one reader only.
fn follows_norm(description: &Description, tensor: usize) -> bool {
    description.producer(tensor).is_some_and(|node| matches!(node.op, Op::BatchNorm(_)))
        && description.sole_consumer(tensor).is_some()
}
