//! Base optimizers on the device. They step only where the gradient's flag says so, and never ask the host.

mod adam;
mod clip;
mod sgd;

pub use adam::CudaAdam;
pub use clip::CudaClipped;
pub use sgd::CudaSgd;

use sam_core::WeightDecay;

/// Factor of `w` in the gradient, and share of `w` that decoupled decay keeps: sam-core's.
fn decay_factors(decay: WeightDecay<f32>, lr: f32) -> (f32, f32) {
    (decay.coupled(), decay.kept(lr))
}
