//! What is computed in place, and which layers fuse.

use super::Classes;
use sam_model::{Description, Op};

/// Whose values share a buffer: what is computed in place.
///
/// - ReLU behind a batch normalisation or before a max-pooling is part of it; any other ReLU overwrites its input, if
///   nobody else needs that.
/// - Addition overwrites its first input on the same terms.
/// - Flattening changes nothing but the shape.
pub struct Values {
    pub classes: Classes,
    /// Of each node, whether another one does its work.
    pub fused: Vec<bool>,
    /// Of each node, whether it does the work of a ReLU.
    pub fused_relu: Vec<bool>,
}

impl Values {
    pub fn new(description: &Description) -> Self {
        let nodes = description.nodes();
        let mut own = Self {
            classes: Classes::new(description, halos(description)),
            fused: vec![false; nodes.len()],
            fused_relu: vec![false; nodes.len()],
        };
        for (i, node) in nodes.iter().enumerate() {
            let (input, output) = (node.inputs[0], i + 1);
            let in_place = match node.op {
                Op::Relu | Op::Add => own.may_be_overwritten(description, input),
                Op::Flatten => description.sole_consumer(input).is_some(),
                _ => false,
            };
            if !in_place || !own.classes.fits(output, input) {
                continue;
            }
            own.classes.join(output, input);
            if node.op == Op::Relu
                && let Some(host) = host(description, input, output)
            {
                own.fused[i] = true;
                own.fused_relu[host] = true;
            }
        }
        own
    }

    /// Whether nobody needs the values once the one node that reads them has. A ReLU needs its own in the backward pass, also
    /// where a flattened tensor is the same ones; the image belongs to the caller.
    fn may_be_overwritten(&self, description: &Description, tensor: usize) -> bool {
        let maker = description.producer(tensor);
        let needed = maker.is_none_or(|maker| match maker.op {
            Op::Relu => true,
            Op::Flatten => {
                let flattened = maker.inputs[0];
                let same = self.classes.of(flattened) == self.classes.of(tensor);
                same && !self.may_be_overwritten(description, flattened)
            }
            _ => false,
        });
        description.sole_consumer(tensor).is_some() && !needed
    }
}

/// The halo that each tensor's readers need.
fn halos(description: &Description) -> Vec<usize> {
    let mut halos = vec![0; description.tensors()];
    for node in description.nodes() {
        let image = description.shape(node.inputs[0]);
        // Pooling asks what is inside.
        if let (Op::Conv { .. }, Some(windows)) = (node.op, node.op.windows(image)) {
            let halo = &mut halos[node.inputs[0]];
            *halo = windows.iter().fold(*halo, |halo, along| halo.max(along.before).max(along.behind));
        }
    }
    halos
}

/// The node that does the work of a ReLU between two tensors, if one beside it can: the one before or the one behind.
fn host(description: &Description, input: usize, output: usize) -> Option<usize> {
    let normalised = description.producer(input).is_some_and(|maker| matches!(maker.op, Op::BatchNorm(_)));
    let pool = |&consumer: &usize| matches!(description.nodes()[consumer].op, Op::MaxPool { .. });
    if normalised { Some(input - 1) } else { description.sole_consumer(output).filter(pool) }
}
