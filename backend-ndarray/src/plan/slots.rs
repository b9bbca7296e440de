//! Which buffer each tensor's values and gradient are in.

use super::{Description, Place, alias::Aliases};
use crate::layout::Layout;

/// Buffers for all tensors: one for each class of values, since the backward pass wants them all; few for the
/// gradients, reused as soon as a gradient has been read for the last time.
pub struct Slots {
    pub values: Vec<Place>,
    pub gradients: Vec<Option<Place>>,
    pub value_lens: Vec<usize>,
    pub gradient_lens: Vec<usize>,
}

impl Slots {
    pub fn new(description: &Description, aliases: &Aliases) -> Self {
        let (values, value_lens) = values(description, aliases);
        let (gradients, gradient_lens) = gradients(description, aliases);
        Self { values, gradients, value_lens, gradient_lens }
    }
}

fn values(description: &Description, aliases: &Aliases) -> (Vec<Place>, Vec<usize>) {
    let mut lens = Vec::new();
    let mut slots = vec![None; description.tensors()];
    let places = (0..description.tensors()).map(|tensor| {
        let class = aliases.values.of(tensor);
        let layout = Layout { shape: description.shape(tensor), halo: aliases.value_halos[class] };
        let slot = *slots[class].get_or_insert_with(|| {
            lens.push(layout.sample_len());
            lens.len() - 1
        });
        Place { slot, layout }
    });
    (places.collect(), lens)
}

/// Tensors whose gradient leads to some parameter's.
fn needed(description: &Description) -> Vec<bool> {
    let mut needed = vec![false; description.tensors()];
    for (i, node) in description.nodes().iter().enumerate() {
        let has_parameters = node.op.parameters(description.shape(node.inputs[0])).next().is_some();
        needed[i + 1] = has_parameters || node.inputs.iter().any(|&input| needed[input]);
    }
    needed
}

fn gradients(description: &Description, aliases: &Aliases) -> (Vec<Option<Place>>, Vec<usize>) {
    let needed = needed(description);
    let class = |tensor: usize| aliases.gradients.of(tensor);
    // A class's layout is that of its least tensor; flattened ones have no halo, so any would do.
    let layout =
        |class: usize| Layout { shape: description.shape(class), halo: aliases.gradient_halos[class] };
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
    take(&mut slots, &mut free, class(description.tensors() - 1));
    for (i, node) in description.nodes().iter().enumerate().rev() {
        for &input in node.inputs.iter().filter(|&&input| needed[input]) {
            take(&mut slots, &mut free, class(input));
        }
        // The class is named by its least tensor, whose maker is the last to read it.
        if let (true, Some(slot)) = (class(i + 1) == i + 1, slots[i + 1]) {
            free.push((layout(i + 1), slot));
        }
    }
    let places = (0..description.tensors()).map(|tensor| {
        let class = class(tensor);
        let layout = Layout { shape: description.shape(tensor), halo: aliases.gradient_halos[class] };
        slots[class].filter(|_| needed[tensor]).map(|slot| Place { slot, layout })
    });
    (places.collect(), lens)
}
