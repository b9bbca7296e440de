//! Products of two vectors: the host's side of the structs in `kernels/products.cu` and `products.cuh`.

use bytemuck::{Pod, Zeroable};
use cust::memory::DeviceCopy;

/// Of each vector with itself, and of both.
#[derive(Clone, Copy, Debug, Default, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct Products([f64; 3]);

/// Of vectors a and b, `a.b / b.b` and `||a|| / ||b||`.
#[derive(Clone, Copy, Debug, Default, Zeroable, Pod, DeviceCopy)]
#[repr(C)]
pub(crate) struct Quotients {
    pub projection: f32,
    pub ratio: f32,
}
