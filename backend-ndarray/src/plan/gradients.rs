//! Which tensors' gradients share a buffer.

use super::{Classes, Values};
use crate::layer::Conv;
use sam_model::{Description, Node, Op};

/// Whose gradients share a buffer: where the gradient of an input *is* that of the output (each term of a sum, a tensor
/// and its flattened form), or is made from it in place (behind a ReLU).
///
/// Found by going through the backward pass once. A buffer may hold the gradient of several tensors as long as they have
/// the same one; where one of them is changed before another has been read, it has a buffer of its own.
pub fn gradients(description: &Description, values: &Values) -> Classes {
    let mut sweep = Sweep {
        description,
        values,
        classes: Classes::new(description, halos(description)),
        unread: (0..description.tensors()).map(|tensor| vec![tensor]).collect(),
    };
    for (i, node) in description.nodes().iter().enumerate().rev() {
        let output = i + 1;
        let class = sweep.classes.of(output);
        sweep.unread[class].retain(|&tensor| tensor != output);
        for &input in node.inputs.iter().filter(|&&input| description.is_trained(input)) {
            let shares = match node.op {
                // Part of another node, which expects it so.
                Op::Relu if values.fused[i] => true,
                Op::Relu => sweep.unread[class].is_empty() && sweep.may_share(i, input),
                Op::Add | Op::Flatten => sweep.may_share(i, input),
                _ => false,
            };
            if shares {
                sweep.classes.join(input, output);
                sweep.unread[class].push(input);
            }
        }
    }
    sweep.classes
}

/// The buffers as they are at some moment of the backward pass.
struct Sweep<'a> {
    description: &'a Description,
    values: &'a Values,
    classes: Classes,
    /// Of each class, at its name, the tensors whose gradient is still to be read.
    unread: Vec<Vec<usize>>,
}

impl Sweep<'_> {
    /// Whether a node's input can have its gradient in the buffer of the output's.
    fn may_share(&self, node: usize, input: usize) -> bool {
        let (class, consumers) = (self.classes.of(node + 1), self.description.consumers(input));
        // Nobody has put a share of it elsewhere before.
        let first = consumers.iter().all(|&other| other <= node)
            && consumers.iter().filter(|&&other| other == node).count() == 1;
        // Whoever adds to a gradient does so when all others of the buffer have been read.
        let added_later = |tensor: usize, read: usize| {
            let mut adding = self.description.consumers(tensor).iter().filter(|&&other| other < node);
            adding.all(|&other| other < self.reader(read))
        };
        first
            && self.classes.fits(input, node + 1)
            && self.unread[class].iter().all(|&other| added_later(input, other) && added_later(other, input))
    }

    /// The node that reads a tensor's gradient: its maker, or what that is part of.
    fn reader(&self, tensor: usize) -> usize {
        let Some(maker) = tensor.checked_sub(1) else { return 0 };
        let part = self.values.fused[maker];
        if part { self.reader(self.description.nodes()[maker].inputs[0]) } else { maker }
    }
}

/// The halo that each gradient's reader needs.
fn halos(description: &Description) -> Vec<usize> {
    let extents = |tensor| {
        let shape = description.shape(tensor);
        [shape.height, shape.width]
    };
    let halo = |(i, node): (usize, &Node)| match node.op {
        // Depthwise convolutions look where a gradient ends.
        Op::Conv { kernel, stride, groups, channels, .. }
            if groups < channels || groups < description.shape(node.inputs[0]).channels || groups == 1 =>
        {
            let windows = node.op.windows(description.shape(node.inputs[0]));
            let before = windows.map_or([0; 2], |windows| windows.map(|along| along.before));
            Conv::<f32>::gradient_halo(kernel, stride, before, extents(node.inputs[0]), extents(i + 1))
        }
        _ => 0,
    };
    core::iter::once(0).chain(description.nodes().iter().enumerate().map(halo)).collect()
}
