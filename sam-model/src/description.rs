//! A whole network, checked.

use crate::{ArenaLayout, DescriptionError, Graph, Node, Shape, Tensor};
use alloc::{string::ToString, vec, vec::Vec};

/// A network that every backend can build: its operations in an order in which they can be computed, the shapes of all
/// tensors, and where its parameters lie.
///
/// Tensors are numbered: 0 is the image, and node `i` makes tensor `i + 1`. The last one is the logits.
#[derive(Clone, Debug)]
pub struct Description {
    nodes: Vec<Node>,
    shapes: Vec<Shape>,
    consumers: Vec<Vec<usize>>,
    trained: Vec<bool>,
    parameters: ArenaLayout,
    statistics: ArenaLayout,
}

impl Description {
    /// Describes a network for images of shape `image`: `describe` pushes its operations and returns the logits, a vector of
    /// `classes` values that is the last tensor made.
    ///
    /// ```
    /// use sam_model::{Description, ImageShape, Op, Padding, Tensor};
    ///
    /// let network = Description::new(ImageShape::new(8, 8, 1), 10, |graph| {
    ///     let conv = Op::Conv { channels: 4, kernel: 3, stride: 1, padding: Padding::Explicit(1), groups: 1, bias: true };
    ///     let x = graph.push("conv", conv, &[Tensor::INPUT])?;
    ///     let y = graph.push("relu", Op::Relu, &[x])?;
    ///     let x = graph.push("add", Op::Add, &[y, x])?;
    ///     graph.chain(x, [("pool", Op::GlobalAvgPool), ("head", Op::Classify { classes: 10 })])
    /// })?;
    /// assert_eq!(network.parameters().len(), (3 * 3 * 4 + 4) + (4 * 10 + 10));
    /// # Ok::<(), sam_model::DescriptionError>(())
    /// ```
    ///
    /// # Errors
    /// Every reason for which a network is refused whatever computes it: see [`DescriptionError`].
    pub fn new(
        image: Shape,
        classes: usize,
        describe: impl FnOnce(&mut Graph) -> Result<Tensor, DescriptionError>,
    ) -> Result<Self, DescriptionError> {
        if !(2..=1 << 16).contains(&classes) {
            return Err(DescriptionError::Classes(classes));
        }
        let mut graph = Graph::new(image);
        let logits = describe(&mut graph)?;
        let Graph { nodes, shapes, .. } = graph;
        let last = nodes.len();
        if logits.0 != last || last == 0 || shapes[last] != Shape::vector(classes) {
            return Err(DescriptionError::Logits { classes, found: shapes[last] });
        }
        let mut consumers = vec![Vec::new(); shapes.len()];
        let mut trained = vec![false; shapes.len()];
        for (i, node) in nodes.iter().enumerate() {
            node.inputs.iter().for_each(|&input| consumers[input].push(i));
            trained[i + 1] = !node.parameters.is_empty() || node.inputs.iter().any(|&input| trained[input]);
        }
        let unread =
            |(node, consumers): (&Node, &Vec<usize>)| consumers.is_empty().then(|| node.name.to_string());
        if let Some(layer) = nodes[..last - 1].iter().zip(&consumers[1..]).find_map(unread) {
            return Err(DescriptionError::Unread { layer });
        }
        let parameters = ArenaLayout::new(&nodes, |node| &node.parameters)?;
        let statistics = ArenaLayout::new(&nodes, |node| &node.statistics)?;
        Ok(Self { nodes, shapes, consumers, trained, parameters, statistics })
    }

    /// The operations, in an order in which they can be computed.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Number of tensors, the image among them.
    #[must_use]
    pub fn tensors(&self) -> usize {
        self.shapes.len()
    }

    /// Shape of a tensor of one sample.
    ///
    /// # Panics
    /// If there is no tensor of that number.
    #[must_use]
    pub fn shape(&self, tensor: usize) -> Shape {
        self.shapes[tensor]
    }

    /// Shape of an image.
    #[must_use]
    pub fn image(&self) -> Shape {
        self.shapes[0]
    }

    /// Number of classes: 2 to 65,536.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.shapes[self.nodes.len()].channels
    }

    /// Nodes that read a tensor, in order; one that reads it twice is there twice.
    ///
    /// # Panics
    /// If there is no tensor of that number.
    #[must_use]
    pub fn consumers(&self, tensor: usize) -> &[usize] {
        &self.consumers[tensor]
    }

    /// The one node that reads a tensor, once; `None` if there are several, or none.
    ///
    /// # Panics
    /// If there is no tensor of that number.
    #[must_use]
    pub fn sole_consumer(&self, tensor: usize) -> Option<usize> {
        match *self.consumers(tensor) {
            [node] => Some(node),
            _ => None,
        }
    }

    /// The node that makes a tensor; none makes the image.
    #[must_use]
    pub fn producer(&self, tensor: usize) -> Option<&Node> {
        tensor.checked_sub(1).map(|node| &self.nodes[node])
    }

    /// Whether a tensor depends on some parameter: its gradient leads to that parameter's.
    ///
    /// # Panics
    /// If there is no tensor of that number.
    #[must_use]
    pub fn is_trained(&self, tensor: usize) -> bool {
        self.trained[tensor]
    }

    /// The flat arena of the parameters, and of whatever is laid out alike: gradients, momenta.
    #[must_use]
    pub const fn parameters(&self) -> &ArenaLayout {
        &self.parameters
    }

    /// The flat arena of the running statistics.
    #[must_use]
    pub const fn statistics(&self) -> &ArenaLayout {
        &self.statistics
    }

    /// Multiply-add pairs of the forward pass for one sample.
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        self.nodes.iter().fold(0, |sum, node| sum.saturating_add(node.multiply_adds))
    }
}
