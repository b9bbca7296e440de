//! Which buffer each tensor's values and gradient are in.

use super::{Classes, Place, Segments};
use crate::layout::Layout;
use sam_model::Description;

/// A buffer for each class of values that the backward pass finds as the forward pass has left it; the others of a segment share
/// theirs with those of other segments. Each tensor's place, and elements a sample of each buffer.
pub fn values(description: &Description, classes: &Classes, segments: &Segments) -> (Vec<Place>, Vec<usize>) {
    let layout = |class: usize| classes.layout(description, classes.least(class));
    let mut kept = vec![false; description.tensors()];
    for tensor in 0..description.tensors() {
        kept[classes.of(tensor)] |= segments.keeps(description, tensor);
    }
    let mut slots: Vec<Option<usize>> = vec![None; description.tensors()];
    let mut lens = Vec::new();
    // With the layout that each was made for.
    let mut shared: Vec<(Layout, usize)> = Vec::new();
    let image = core::iter::once(vec![0]);
    let made = segments.ranges().map(|nodes| nodes.map(|node| node + 1).collect());
    for tensors in image.chain(made) {
        let mut free = shared.clone();
        for class in tensors.into_iter().map(|tensor: usize| classes.of(tensor)) {
            if slots[class].is_some() {
                continue;
            }
            let layout = layout(class);
            let at = if kept[class] { None } else { nearest(&free, layout, &lens) };
            slots[class] = Some(match at {
                Some(at) => grown(&mut lens, free.swap_remove(at).1, layout),
                None => {
                    lens.push(layout.sample_len());
                    if !kept[class] {
                        shared.push((layout, lens.len() - 1));
                    }
                    lens.len() - 1
                }
            });
        }
    }
    let places = (0..description.tensors()).map(|tensor| {
        let layout = classes.layout(description, tensor);
        let slot = slots[classes.of(tensor)].expect("every tensor is the image or a node's of some segment");
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
    let mut take = |slots: &mut Vec<Option<usize>>, free: &mut Vec<(Layout, usize)>, class: usize| {
        let layout = layout(class);
        if slots[class].is_none() {
            slots[class] = Some(match nearest(free, layout, &lens) {
                Some(at) => grown(&mut lens, free.swap_remove(at).1, layout),
                None => {
                    lens.push(layout.sample_len());
                    lens.len() - 1
                }
            });
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

/// Of free buffers the one whose length is nearest. With a halo it must have been made for the same layout, so that the halo stays
/// zero.
fn nearest(free: &[(Layout, usize)], layout: Layout, lens: &[usize]) -> Option<usize> {
    let suits = |other: Layout| other == layout || (other.halo == 0 && layout.halo == 0);
    let suiting = free.iter().enumerate().filter(|(_, (other, _))| suits(*other));
    let near = suiting.min_by_key(|(_, (_, slot))| lens[*slot].abs_diff(layout.sample_len()));
    near.map(|(at, _)| at)
}

/// The buffer, made long enough.
fn grown(lens: &mut [usize], slot: usize, layout: Layout) -> usize {
    lens[slot] = lens[slot].max(layout.sample_len());
    slot
}
