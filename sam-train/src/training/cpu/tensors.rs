//! Flat vectors as named tensors, and back.

use sam_backend_ndarray::Segment;

use crate::training::state::{MOMENTUM, State, Tensor};

/// What the tensors of a piece of optimizer state belong to.
pub fn group(piece: &str) -> String {
    if piece == "momentum" { MOMENTUM.to_owned() } else { format!("{piece}/") }
}

/// `values` cut into the tensors of `segments`, named after `group`.
pub fn tensors<'a>(
    group: &str,
    segments: &'a [Segment],
    values: &'a [f32],
) -> impl Iterator<Item = Tensor> + use<'a> {
    let group = group.to_owned();
    segments.iter().map(move |segment| Tensor {
        name: format!("{group}{}", segment.name),
        shape: segment.shape.clone(),
        values: values[segment.range.clone()].to_vec(),
    })
}

/// Copies the tensors of `group` to their places; [`State::check_against`] has made sure that they fit.
pub fn copy(state: &State, group: &str, segments: &[Segment], values: &mut [f32]) {
    for segment in segments {
        if let Some(tensor) = state.get(&format!("{group}{}", segment.name)) {
            values[segment.range.clone()].copy_from_slice(&tensor.values);
        }
    }
}
