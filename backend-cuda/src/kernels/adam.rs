//! What Adam's kernels read, and what only they know: the host's side of `kernels/adam.cu`.

use bytemuck::{Pod, Zeroable};
use cust::memory::DeviceCopy;

/// What the kernels read at every step.
#[derive(Clone, Copy, Debug, PartialEq, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct AdamRates {
    pub lr: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub epsilon: f32,
    pub coupled: f32,
    pub keep: f32,
}

/// The count of steps, which only kernels know: a step with a gradient that is not finite does not count.
#[derive(Clone, Copy, Debug, Default, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct AdamProgress {
    pub steps: u64,
    pub rate: f32,
    pub root: f32,
}
