//! What the kernel of gradient descent reads: the host's side of `kernels/sgd.cu`.

use bytemuck::{Pod, Zeroable};
use cust::memory::DeviceCopy;

/// What the kernel reads at every step.
#[derive(Clone, Copy, Debug, PartialEq, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct SgdRates {
    pub lr: f32,
    pub momentum: f32,
    pub coupled: f32,
    pub keep: f32,
}
