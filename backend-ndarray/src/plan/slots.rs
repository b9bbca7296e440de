//! Which buffer each tensor's values and gradient are in.

use super::{Classes, Place};
use crate::layout::Layout;
use sam_model::Description;

/// A buffer for each class of values, since the backward pass wants them all: each tensor's place, and elements a sample
/// of each buffer.
pub fn values(description: &Description, classes: &Classes) -> (Vec<Place>, Vec<usize>) {
    let mut lens = Vec::new();
    let mut slots = vec![None; description.tensors()];
    let places = (0..description.tensors()).map(|tensor| {
        let layout = classes.layout(description, tensor);
        let slot = *slots[classes.of(tensor)].get_or_insert_with(|| {
            lens.push(layout.sample_len());
            lens.len() - 1
        });
        Place { slot, layout }
    });
    (places.collect(), lens)
}

/// Few buffers for the classes of gradients, used again as soon as a gradient has been read for the last time: each
/// tensor's place, if anybody needs its gradient, and elements a sample of each buffer.
pub fn gradients(description: &Description, classes: &Classes) -> (Vec<Option<Place>>, Vec<usize>) {
    // Any of a class would do: if their shapes differ there is no halo.
    let layout = |class: usize| classes.layout(description, classes.least(class));
    let mut slots: Vec<Option<usize>> = vec![None; description.tensors()];
    let mut lens = Vec::new();
    let mut free: Vec<(Layout, usize)> = Vec::new();
    // Buffers are reused for one layout only, so that halos stay zero.
    let mut take = |slots: &mut Vec<Option<usize>>, free: &mut Vec<(Layout, usize)>, class: usize| {
        let layout = layout(class);
        if slots[class].is_none() {
            let reusable = free.iter().position(|(other, _)| *other == layout);
            slots[class] = Some(reusable.map_or_else(
                || {
                    lens.push(layout.sample_len());
                    lens.len() - 1
                },
                |at| free.swap_remove(at).1,
            ));
        }
    };
    take(&mut slots, &mut free, classes.of(description.tensors() - 1));
    for (i, node) in description.nodes().iter().enumerate().rev() {
        for &input in node.inputs.iter().filter(|&&input| description.is_trained(input)) {
            take(&mut slots, &mut free, classes.of(input));
        }
        // The maker of a class's least tensor is the last to read it.
        let class = classes.of(i + 1);
        if let (true, Some(slot)) = (classes.least(class) == i + 1, slots[class]) {
            free.push((layout(class), slot));
        }
    }
    let places = (0..description.tensors()).map(|tensor| {
        let layout = classes.layout(description, tensor);
        slots[classes.of(tensor)]
            .filter(|_| description.is_trained(tensor))
            .map(|slot| Place { slot, layout })
    });
    (places.collect(), lens)
}
