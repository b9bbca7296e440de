use crate::error::NetworkError;
use sam_model::{Graph, Name, Op, Shape, ShapeError, Tensor};

/// A node of the network, by the tensors that it reads. Node `i` makes tensor `i + 1`.
#[derive(Clone, Debug)]
pub struct Node {
    pub name: Name,
    pub op: Op,
    pub inputs: Vec<usize>,
}

/// A network as it is being described to the CPU backend: push operations through
/// [`Graph`](sam_model::Graph).
#[derive(Clone, Debug)]
pub struct Description {
    nodes: Vec<Node>,
    /// Of each tensor, the image first.
    shapes: Vec<Shape>,
    consumers: Vec<Vec<usize>>,
}

impl Description {
    pub(crate) fn new(image: Shape) -> Self {
        Self { nodes: Vec::new(), shapes: vec![image], consumers: vec![Vec::new()] }
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn shape(&self, tensor: usize) -> Shape {
        self.shapes[tensor]
    }

    pub(crate) fn tensors(&self) -> usize {
        self.shapes.len()
    }

    /// Nodes that read a tensor, in order.
    pub(crate) fn consumers(&self, tensor: usize) -> &[usize] {
        &self.consumers[tensor]
    }

    /// The one node that reads a tensor.
    pub(crate) fn sole_consumer(&self, tensor: usize) -> Option<usize> {
        match *self.consumers(tensor) {
            [node] => Some(node),
            _ => None,
        }
    }

    /// The node that makes a tensor; none makes the image.
    pub(crate) fn producer(&self, tensor: usize) -> Option<&Node> {
        tensor.checked_sub(1).map(|node| &self.nodes[node])
    }
}

impl Graph for Description {
    type Error = NetworkError;

    fn push(&mut self, name: Name, op: Op, inputs: &[Tensor]) -> Result<Tensor, NetworkError> {
        let refuse = |input, expected| NetworkError::Shape {
            layer: name.to_string(),
            source: ShapeError { op, input, expected },
        };
        let arity = if op == Op::Add { 2 } else { 1 };
        let shapes: Vec<Shape> = inputs.iter().filter_map(|t| self.shapes.get(t.0).copied()).collect();
        let Some(&input) = shapes.first() else {
            return Err(refuse(Shape::new(0, 0, 0), "a tensor made before"));
        };
        if shapes.len() != inputs.len() || inputs.len() != arity {
            return Err(refuse(input, "as many tensors made before as it has inputs"));
        }
        if shapes.iter().any(|&shape| shape != input) {
            return Err(refuse(input, "two tensors of one shape"));
        }
        let shape = op
            .output_shape(input)
            .map_err(|source| NetworkError::Shape { layer: name.to_string(), source })?;
        let node = self.nodes.len();
        for input in inputs {
            self.consumers[input.0].push(node);
        }
        self.nodes.push(Node { name, op, inputs: inputs.iter().map(|t| t.0).collect() });
        self.shapes.push(shape);
        self.consumers.push(Vec::new());
        Ok(Tensor(node + 1))
    }
}
