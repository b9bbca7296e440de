//! What a step would be with the sums of normalisation in the convolution before it, and the addition between the two: cuDNN's graph interface.

use super::{
    bytes::{Cost, is_padded_alike},
    log::Launch,
    time::Library,
};

/// A launch with its cost, and whose kernel it would be where libraries compute products.
pub type Costed = (Launch, Cost, Library);

/// Whose product it would be without the graph interface.
pub fn library(launch: &Launch) -> Library {
    if is_padded_alike(launch) { Library::Vendor } else { Library::Own }
}

/// The launches that are left: a sweep that measures what a convolution, or one and an addition, has just written is part of it. The addend
/// is read by the convolution, the sums are what channels have.
pub fn fused(launches: &[Costed]) -> Vec<Costed> {
    let mut left: Vec<Costed> = Vec::new();
    for (launch, cost, library) in launches {
        let is = |place: usize, name: &str| {
            left.len().checked_sub(place).is_some_and(|at| left[at].0.name.starts_with(name))
        };
        let measures = launch.name.starts_with("batch_norm_measure");
        if measures && is(1, "conv_forward") {
            take_over(&mut left);
        } else if measures && is(2, "conv_forward") && is(1, "add") {
            // Two tensors of the sum's size are read; one of them is the convolution's own.
            let sum = left.pop().map_or(0, |(_, sum, _)| sum.written);
            take_over(&mut left);
            if let Some((_, convolution, _)) = left.last_mut() {
                convolution.read += sum;
            }
        } else {
            left.push((launch.clone(), *cost, *library));
        }
    }
    left
}

/// The convolution is the library's, whatever its padding.
fn take_over(left: &mut [Costed]) {
    if let Some((_, _, library)) = left.last_mut() {
        *library = Library::Vendor;
    }
}
