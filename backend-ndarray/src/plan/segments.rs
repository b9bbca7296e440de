//! Segments of a network whose activations are forgotten in the forward pass and computed again in the backward pass (Chen et
//! al. 2016, "Training Deep Nets with Sublinear Memory Cost").

use super::{Classes, slots};
use core::ops::Range;
use sam_model::Description;

/// What becomes of activations between the forward and the backward pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activations {
    /// All are kept.
    #[default]
    Kept,
    /// Those within segments of the network are forgotten and computed again, which costs another forward pass. Results keep their bits.
    Recomputed,
}

/// Neighbouring nodes, segment by segment. No buffer that several tensors share belongs to two of them: so what one segment reads
/// of another stays as it is.
#[derive(Clone, Debug)]
pub struct Segments {
    /// The first node of each.
    starts: Vec<usize>,
    nodes: usize,
}

impl Segments {
    /// Those that the choice asks for; of several ways to cut, the one that needs the least memory.
    pub fn new(description: &Description, classes: &Classes, activations: Activations) -> Self {
        let nodes = description.nodes().len();
        let whole = Self { starts: vec![0], nodes };
        if activations == Activations::Kept {
            return whole;
        }
        let lens: Vec<usize> = (1..=nodes).map(|tensor| description.shape(tensor).len()).collect();
        let total: usize = lens.iter().sum();
        let cuts = cuts(description, classes);
        let candidates = (0..usize::BITS).map(|halvings| total >> halvings).take_while(|&most| most > 0);
        let memory = |own: &Self| slots::values(description, classes, own).1.iter().sum::<usize>();
        candidates
            .map(|most| {
                let (mut starts, mut sum) = (vec![0], 0);
                for (node, len) in lens.iter().enumerate() {
                    sum += len;
                    if sum >= most && node + 1 < nodes && cuts[node] {
                        starts.push(node + 1);
                        sum = 0;
                    }
                }
                Self { starts, nodes }
            })
            .min_by_key(memory)
            .unwrap_or(whole)
    }

    /// The segment of a node.
    pub fn of(&self, node: usize) -> usize {
        self.starts.partition_point(|&start| start <= node) - 1
    }

    /// The nodes of each.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let ends = self.starts.iter().skip(1).copied().chain([self.nodes]);
        self.starts.iter().copied().zip(ends).map(|(start, end)| start..end)
    }

    /// Whether a class of tensors must stay: one of them is the image or the logits, or another segment reads it.
    pub fn keeps(&self, description: &Description, tensor: usize) -> bool {
        let Some(node) = tensor.checked_sub(1) else { return true };
        let own = self.of(node);
        self.starts.len() == 1
            || tensor == self.nodes
            || description.consumers(tensor).iter().any(|&reader| self.of(reader) != own)
    }
}

/// Behind which nodes a segment may end: no buffer has tensors of nodes on both sides.
fn cuts(description: &Description, classes: &Classes) -> Vec<bool> {
    let tensors = description.tensors();
    let mut last = vec![0; tensors];
    (0..tensors).for_each(|tensor| last[classes.of(tensor)] = tensor);
    let mut reach = 0;
    (0..tensors)
        .map(|tensor| {
            reach = reach.max(last[classes.of(tensor)]);
            reach <= tensor
        })
        .skip(1)
        .collect()
}
