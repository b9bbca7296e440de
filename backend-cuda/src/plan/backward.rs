//! The order of the backward pass, and which gradients share a buffer.

use sam_model::{Description, Op};

use super::{Backward, values::Values};

/// The backward pass in order, with buffers that are used again as soon as a gradient has been read for the last time.
///
/// Found by going through the pass once: a buffer may hold the gradient of several tensors that have the same one (the terms
/// of a sum, a tensor and its flattened form); what is to be added to goes into a buffer of its own first.
pub(super) struct Gradients {
    pub actions: Vec<Backward>,
    pub d_logits: usize,
    /// Values a sample of each buffer.
    pub lens: Vec<usize>,
    /// Of each tensor the buffer of its gradient, once it has one.
    holder: Vec<Option<usize>>,
    /// Of each buffer how many tensors it is held for.
    holds: Vec<usize>,
}

impl Gradients {
    pub fn new(description: &Description, values: &Values) -> Self {
        let mut own = Self {
            actions: Vec::new(),
            d_logits: 0,
            lens: Vec::new(),
            holder: vec![None; description.tensors()],
            holds: Vec::new(),
        };
        let logits = description.tensors() - 1;
        own.d_logits = own.take(description.shape(logits).len());
        own.holder[logits] = Some(own.d_logits);
        for (i, node) in description.nodes().iter().enumerate().rev() {
            let Some(d_output) = own.holder[i + 1].take() else { continue };
            let len = description.shape(i + 1).len();
            let passes_on =
                matches!(node.op, Op::Add | Op::Flatten) || (node.op == Op::Relu && values.skip[i]);
            if passes_on {
                for &input in node.inputs.iter().filter(|&&input| description.is_trained(input)) {
                    own.pass_on(input, d_output, len);
                }
            } else if matches!(node.op, Op::Concat | Op::Scale | Op::ShakeShake) {
                for (position, &input) in node.inputs.iter().enumerate() {
                    if description.is_trained(input) {
                        let len = description.shape(input).len();
                        let d_input = Some(own.target(input, d_output, len, false));
                        own.actions.push(Backward::Layer { step: i, position, d_output, d_input });
                    }
                }
            } else {
                let input = node.inputs[0];
                let in_place = is_in_place(node.op);
                let d_input = description
                    .is_trained(input)
                    .then(|| own.target(input, d_output, description.shape(input).len(), in_place));
                // Where nobody needs the input's gradient there may still be parameters.
                own.actions.push(Backward::Layer { step: i, position: 0, d_output, d_input });
            }
            own.release(d_output);
        }
        own
    }

    /// A buffer for `len` values a sample, held once: the smallest free one that is large enough, else the largest one, made
    /// larger, else a new one.
    fn take(&mut self, len: usize) -> usize {
        let free = || (0..self.lens.len()).filter(|&buffer| self.holds[buffer] == 0);
        let fitting =
            free().filter(|&buffer| self.lens[buffer] >= len).min_by_key(|&buffer| self.lens[buffer]);
        let buffer =
            fitting.or_else(|| free().max_by_key(|&buffer| self.lens[buffer])).unwrap_or_else(|| {
                self.lens.push(0);
                self.holds.push(0);
                self.lens.len() - 1
            });
        self.lens[buffer] = self.lens[buffer].max(len);
        self.holds[buffer] = 1;
        buffer
    }

    fn release(&mut self, buffer: usize) {
        self.holds[buffer] -= 1;
    }

    /// The tensor's buffer, held for it alone from now on.
    fn own(&mut self, tensor: usize, buffer: usize, len: usize) -> usize {
        if self.holds[buffer] == 1 {
            return buffer;
        }
        let to = self.take(len);
        self.actions.push(Backward::Copy { len, from: buffer, to });
        self.release(buffer);
        self.holder[tensor] = Some(to);
        to
    }

    /// The input's gradient is the output's, or that is its share.
    fn pass_on(&mut self, input: usize, d_output: usize, len: usize) {
        match self.holder[input] {
            None => {
                self.holder[input] = Some(d_output);
                self.holds[d_output] += 1;
            }
            Some(buffer) => {
                let to = self.own(input, buffer, len);
                self.actions.push(Backward::Add { len, from: d_output, to });
            }
        }
    }

    /// Where a layer puts its input's gradient, and whether it adds.
    fn target(&mut self, input: usize, d_output: usize, len: usize, in_place: bool) -> (usize, bool) {
        match self.holder[input] {
            Some(buffer) => (self.own(input, buffer, len), true),
            None if in_place && self.holds[d_output] == 1 => {
                self.holder[input] = Some(d_output);
                self.holds[d_output] += 1;
                (d_output, false)
            }
            None => {
                let to = self.take(len);
                self.holder[input] = Some(to);
                (to, false)
            }
        }
    }
}

/// Whether a layer's gradient may be written over that of its output.
const fn is_in_place(op: Op) -> bool {
    matches!(
        op,
        Op::Relu
            | Op::Relu6
            | Op::Swish
            | Op::Sigmoid
            | Op::BatchNorm(_)
            | Op::Dropout { .. }
            | Op::DropConnect { .. }
            | Op::ShakeDrop { .. }
    )
}
