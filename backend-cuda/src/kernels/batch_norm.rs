//! Numbers of a batch normalisation: the host's side of `kernels/batch_norm.cuh`.

use bytemuck::{Pod, Zeroable};
use cust::memory::DeviceCopy;
use sam_model::BatchNorm;

/// A channel's numbers between the passes.
#[derive(Clone, Copy, Debug, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct Channel([f32; 4]);

/// Count, mean and spread of a channel's values in a chunk.
#[derive(Clone, Copy, Debug, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct Moments([f64; 3]);

/// Sums of the gradient and of its product with the value.
#[derive(Clone, Copy, Debug, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct Sums([f64; 2]);

/// What the input's gradient subtracts from the output's.
#[derive(Clone, Copy, Debug, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct Correction([f32; 2]);

/// A layer's constants.
#[derive(Clone, Copy, Debug, Zeroable, Pod)]
#[repr(C)]
pub(crate) struct Constants {
    epsilon: f64,
    momentum: f64,
    unbiased: i32,
    /// To a multiple of the alignment.
    padding: u32,
}

// SAFETY: the kernels' struct has the same fields.
#[allow(unsafe_code, reason = "vouches for the layout")]
unsafe impl crate::Argument for Constants {}

impl Constants {
    pub fn new(BatchNorm { momentum, epsilon, unbiased }: BatchNorm) -> Self {
        Self { epsilon, momentum, unbiased: i32::from(unbiased), padding: 0 }
    }
}
