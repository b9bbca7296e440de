//! A network under description, operation by operation.

use crate::{DescriptionError, Init, Initialization, Name, Op, Parameter, Role, Shape, Signature};
use alloc::{
    boxed::Box,
    collections::BTreeSet,
    string::{String, ToString},
    vec,
    vec::Vec,
};

/// A tensor of a network: the position of the operation that makes it, counted from 1.
/// [`Tensor::INPUT`] is the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tensor(pub usize);

impl Tensor {
    /// The network's input.
    pub const INPUT: Self = Self(0);
}

/// An operation of a network, by the tensors that it reads. Node `i` makes tensor `i + 1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Unique in the network.
    pub name: Name,
    /// What it computes.
    pub op: Op,
    /// Numbers of the tensors that it reads; all are less than that of the one it makes.
    pub inputs: Vec<usize>,
    /// Tensors that it trains, in the order of the flat arena.
    pub parameters: Vec<Parameter>,
    /// Tensors that follow the batches, in the order of their flat arena.
    pub statistics: Vec<Parameter>,
    /// Multiply-add pairs of the forward pass for one sample.
    pub multiply_adds: u64,
}

/// Receives a network's operations, in an order in which they can be computed. See [`Description::new`](crate::Description::new).
#[derive(Clone, Debug)]
pub struct Graph {
    pub(crate) nodes: Vec<Node>,
    /// Of each tensor, the image first.
    pub(crate) shapes: Vec<Shape>,
    names: BTreeSet<String>,
    initialization: Initialization,
}

impl Graph {
    pub(crate) fn new(image: Shape) -> Self {
        Self {
            nodes: Vec::new(),
            shapes: vec![image],
            names: BTreeSet::new(),
            initialization: Initialization::HeFanIn,
        }
    }

    /// Appends an operation on tensors made before, as many as its [arity](Op::arity), and returns the one it makes.
    ///
    /// # Errors
    /// When the inputs don't suit the operation, or its name is another's.
    pub fn push(
        &mut self,
        name: impl Into<Name>,
        op: Op,
        inputs: &[Tensor],
    ) -> Result<Tensor, DescriptionError> {
        let name = name.into();
        let layer = name.to_string();
        let mut shapes = Vec::with_capacity(inputs.len());
        for &tensor in inputs {
            match self.shapes.get(tensor.0) {
                Some(shape) => shapes.push(*shape),
                None => return Err(DescriptionError::Unmade { layer, tensor }),
            }
        }
        let Signature { output, mut parameters, statistics, multiply_adds } = match op.signature(&shapes) {
            Ok(signature) => signature,
            Err(source) => return Err(DescriptionError::Shape { layer, source: Box::new(source) }),
        };
        if !output.is_countable() {
            return Err(DescriptionError::TooLarge { layer });
        }
        if self.names.contains(&layer) {
            return Err(DescriptionError::Name { layer });
        }
        self.names.insert(layer);
        for parameter in &mut parameters {
            parameter.init = self.initialization.of(&op, parameter);
        }
        let inputs = inputs.iter().map(|tensor| tensor.0).collect();
        self.nodes.push(Node { name, op, inputs, parameters, statistics, multiply_adds });
        self.shapes.push(output);
        Ok(Tensor(self.nodes.len()))
    }

    /// Appends operations on one tensor, each reading what the one before made, and returns the last one's.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn chain<N: Into<Name>>(
        &mut self,
        first: Tensor,
        layers: impl IntoIterator<Item = (N, Op)>,
    ) -> Result<Tensor, DescriptionError> {
        layers.into_iter().try_fold(first, |x, (name, op)| self.push(name, op, &[x]))
    }

    /// How the weights of all operations from here on start; [`Initialization::HeFanIn`] where nothing is said.
    pub fn initialize(&mut self, initialization: Initialization) {
        self.initialization = initialization;
    }

    /// Lets the parameter of that role of the operation that made a tensor start otherwise; nothing happens if it has none.
    ///
    /// # Panics
    /// If the tensor is the image, or was not made before.
    pub fn start(&mut self, tensor: Tensor, role: Role, init: Init) {
        let parameters = &mut self.nodes[tensor.0 - 1].parameters;
        parameters.iter_mut().filter(|own| own.role == role).for_each(|own| own.init = init);
    }

    /// Shape of a tensor made before.
    ///
    /// # Panics
    /// If it was not.
    #[must_use]
    pub fn shape(&self, tensor: Tensor) -> Shape {
        self.shapes[tensor.0]
    }
}
