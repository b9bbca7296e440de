//! Which tensors share a buffer, and its halo.

use crate::layout::Layout;
use sam_model::{Description, Shape};

/// Which tensors share one buffer, and the halo that it has: the widest that any of them needs.
#[derive(Clone, Debug)]
pub struct Classes {
    /// Of each tensor the one that its class is named by: the first of it.
    names: Vec<usize>,
    /// At its name, a class's halo, the shape that all of it have, and its least tensor.
    halos: Vec<usize>,
    shapes: Vec<Option<Shape>>,
    least: Vec<usize>,
}

impl Classes {
    /// Each tensor by itself, with the halo that it needs.
    pub fn new(description: &Description, halos: Vec<usize>) -> Self {
        let tensors = 0..description.tensors();
        Self {
            names: tensors.clone().collect(),
            halos,
            shapes: tensors.clone().map(|tensor| Some(description.shape(tensor))).collect(),
            least: tensors.collect(),
        }
    }

    pub fn of(&self, tensor: usize) -> usize {
        self.names[tensor]
    }

    /// The least tensor of a class.
    pub fn least(&self, class: usize) -> usize {
        self.least[class]
    }

    /// How the tensor lies in its buffer.
    pub fn layout(&self, description: &Description, tensor: usize) -> Layout {
        Layout { shape: description.shape(tensor), halo: self.halos[self.of(tensor)] }
    }

    /// Whether a tensor by itself can lie in another's buffer: with a halo only if the pixels of all are in the same places.
    pub fn fits(&self, tensor: usize, other: usize) -> bool {
        let class = self.of(other);
        let same = self.shapes[class].is_some() && self.shapes[class] == self.shapes[tensor];
        same || (self.halos[class] == 0 && self.halos[tensor] == 0)
    }

    /// Puts a tensor by itself into another's buffer, where it fits.
    pub fn join(&mut self, tensor: usize, other: usize) {
        let class = self.of(other);
        self.names[tensor] = class;
        self.halos[class] = self.halos[class].max(self.halos[tensor]);
        self.shapes[class] = self.shapes[class].filter(|&shape| Some(shape) == self.shapes[tensor]);
        self.least[class] = self.least[class].min(tensor);
    }
}
