//! Products of two vectors: the host's side of the struct in `kernels/products.cu`.

use bytemuck::{Pod, Zeroable};
use cust::memory::DeviceCopy;

/// Of each vector with itself, and of both.
#[derive(Clone, Copy, Debug, Default, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct Products {
    pub aa: f64,
    pub bb: f64,
    pub ab: f64,
}
