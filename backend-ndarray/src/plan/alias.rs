//! Which tensors share a buffer, which layers fuse, and which buffers have a halo.

use super::Description;
use crate::layer::Conv;
use sam_model::Op;

/// Which tensors share one buffer: classes, named by their least tensor.
#[derive(Clone, Debug)]
pub struct Classes(Vec<usize>);

impl Classes {
    fn new(tensors: usize) -> Self {
        Self((0..tensors).collect())
    }

    pub fn of(&self, tensor: usize) -> usize {
        match self.0[tensor] {
            own if own == tensor => own,
            other => self.of(other),
        }
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a.max(b)] = a.min(b);
    }
}

/// What can be computed in place.
///
/// - ReLU behind a batch normalisation or before a max-pooling is part of it; any other ReLU overwrites its input,
///   whose maker doesn't need it, if nobody else reads it.
/// - Addition overwrites its first input on the same terms. Its gradient *is* the gradient of both inputs.
/// - Flattening changes nothing if there is no halo.
pub struct Aliases {
    pub values: Classes,
    pub gradients: Classes,
    /// Of each class (at its name), rows and columns of zeros around its images.
    pub value_halos: Vec<usize>,
    pub gradient_halos: Vec<usize>,
    /// Of each node.
    pub skip: Vec<bool>,
    pub fused_relu: Vec<bool>,
}

impl Aliases {
    pub fn new(description: &Description) -> Self {
        let (nodes, tensors) = (description.nodes(), description.tensors());
        let mut own = Self {
            values: Classes::new(tensors),
            gradients: Classes::new(tensors),
            value_halos: vec![0; tensors],
            gradient_halos: vec![0; tensors],
            skip: vec![false; nodes.len()],
            fused_relu: vec![false; nodes.len()],
        };
        for (i, node) in nodes.iter().enumerate() {
            match node.op {
                Op::Relu => own.relu(description, i, node.inputs[0]),
                Op::Add => own.add(description, i, node.inputs[0], node.inputs[1]),
                _ => {}
            }
        }
        own.find_halos(description);
        for (i, node) in nodes.iter().enumerate() {
            if node.op == Op::Flatten {
                own.flatten(description, i, node.inputs[0]);
            }
        }
        own
    }

    fn relu(&mut self, description: &Description, node: usize, input: usize) {
        let Some(producer) = description.producer(input) else { return };
        if description.sole_consumer(input).is_none() {
            return;
        }
        self.values.join(input, node + 1);
        self.gradients.join(input, node + 1);
        let pool = description
            .sole_consumer(node + 1)
            .filter(|&consumer| matches!(description.nodes()[consumer].op, Op::MaxPool { .. }));
        let host = if producer.op == Op::BatchNorm { Some(input - 1) } else { pool };
        if let Some(host) = host {
            self.skip[node] = true;
            self.fused_relu[host] = true;
        }
    }

    fn add(&mut self, description: &Description, node: usize, first: usize, second: usize) {
        let output = node + 1;
        let sole = description.sole_consumer(first).is_some();
        // A ReLU's output is needed once more, as its mask; the image belongs to the caller.
        if sole && description.producer(first).is_some_and(|n| n.op != Op::Relu) {
            self.values.join(first, output);
        }
        // The gradient is read until the first input's maker has gone backwards (with what it shares its own buffer
        // with). Whatever else adds to the second input's gradient must do so later, that is: stand before.
        let last_reader = self.gradients.of(first);
        let others_later =
            description.consumers(second).iter().all(|&other| other == node || other + 1 < last_reader);
        if sole && others_later && first != second {
            self.gradients.join(first, output);
            self.gradients.join(second, output);
        }
    }

    fn find_halos(&mut self, description: &Description) {
        for (i, node) in description.nodes().iter().enumerate() {
            let Op::Conv { kernel, stride, padding, .. } = node.op else { continue };
            let input = node.inputs[0];
            let halo = &mut self.value_halos[self.values.of(input)];
            *halo = padding.max(*halo);
            let extents = |tensor| {
                let shape = description.shape(tensor);
                [shape.height, shape.width]
            };
            let needed = Conv::<f32>::gradient_halo(kernel, stride, padding, extents(input), extents(i + 1));
            let halo = &mut self.gradient_halos[self.gradients.of(i + 1)];
            *halo = needed.max(*halo);
        }
    }

    fn flatten(&mut self, description: &Description, node: usize, input: usize) {
        let halos = [
            self.value_halos[self.values.of(input)],
            self.value_halos[self.values.of(node + 1)],
            self.gradient_halos[self.gradients.of(input)],
            self.gradient_halos[self.gradients.of(node + 1)],
        ];
        if halos == [0; 4] && description.sole_consumer(input).is_some() {
            self.values.join(input, node + 1);
            self.gradients.join(input, node + 1);
            self.skip[node] = true;
        }
    }
}
