//! Flat vectors as named tensors, and back.

use sam_model::TensorInfo;

use crate::training::state::{MOMENTUM, State, Tensor};

/// What the tensors of a piece of optimizer state belong to.
pub fn group(piece: &str) -> String {
    if piece == "momentum" { MOMENTUM.to_owned() } else { format!("{piece}/") }
}

/// `values` cut into the tensors of `infos`, named after `group`.
pub fn tensors<'a>(
    group: &str,
    infos: &'a [TensorInfo],
    values: &'a [f32],
) -> impl Iterator<Item = Tensor> + use<'a> {
    let group = group.to_owned();
    infos.iter().map(move |info| Tensor {
        name: format!("{group}{}", info.name),
        shape: info.shape.clone(),
        values: values[info.range.clone()].to_vec(),
    })
}

/// The values of the tensors of `group` in the order of `infos`; [`State::check_against`] has made sure that they fit.
#[cfg(all(feature = "cuda", target_os = "linux", target_arch = "x86_64"))]
pub fn gather(state: &State, group: &str, infos: &[TensorInfo]) -> Vec<f32> {
    let tensors = infos.iter().filter_map(|info| state.get(&format!("{group}{}", info.name)));
    tensors.flat_map(|tensor| &tensor.values).copied().collect()
}

/// Copies the tensors of `group` to their places; [`State::check_against`] has made sure that they fit.
pub fn copy(state: &State, group: &str, infos: &[TensorInfo], values: &mut [f32]) {
    for info in infos {
        if let Some(tensor) = state.get(&format!("{group}{}", info.name)) {
            values[info.range.clone()].copy_from_slice(&tensor.values);
        }
    }
}
