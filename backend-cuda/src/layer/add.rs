#![allow(unsafe_code, reason = "launches of kernels")]

use crate::{CudaError, Device, Grid, Ptr, PtrMut};

/// `to = a + b`, entry by entry; `to` may be one of them.
pub(crate) fn add(
    device: &Device,
    n: usize,
    a: Ptr<f32>,
    b: Ptr<f32>,
    to: PtrMut<f32>,
) -> Result<(), CudaError> {
    let n = n as u32;
    // SAFETY: the plan made all three of n entries; the kernel is made for a sum in place.
    unsafe { device.launch(&device.kernels().add, Grid::over(n), (a, b, n, to)) }
}
