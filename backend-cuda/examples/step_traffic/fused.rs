//! What a step would be with the sums of normalisation in the convolution before it, and the addition between the two: cuDNN's graph interface.

use super::{bytes::Cost, log::Launch};

/// A launch with its cost.
pub type Costed = (Launch, Cost);

/// The launches that are left: a sweep that measures what a convolution, or one and an addition, has just written is part of it. The addend
/// is read by the convolution, the sums are what channels have.
pub fn fused(launches: &[Costed]) -> Vec<Costed> {
    let mut left: Vec<Costed> = Vec::new();
    for (launch, cost) in launches {
        let is = |place: usize, name: &str| {
            left.len().checked_sub(place).is_some_and(|at| left[at].0.name.starts_with(name))
        };
        let measures = launch.name.starts_with("batch_norm_measure");
        if measures && is(1, "conv_forward") {
            continue;
        }
        if measures && is(2, "conv_forward") && is(1, "add") {
            // Two tensors of the sum's size are read; one of them is the convolution's own.
            let sum = left.pop().map_or(0, |(_, sum)| sum.written);
            if let Some((_, convolution)) = left.last_mut() {
                convolution.read += sum;
            }
        } else {
            left.push((launch.clone(), *cost));
        }
    }
    left
}
