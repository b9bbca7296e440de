//! Additions of tensors.

#![allow(unsafe_code, reason = "launches of kernels")]

use super::On;
use crate::{CudaError, Ptr, PtrMut, element::Value, kernels::Divisor};

/// `to = a + b`, entry by entry; `to` may be one of them.
pub(crate) fn add(
    (device, kernels): On<'_>,
    n: usize,
    a: Ptr<Value>,
    b: Ptr<Value>,
    to: PtrMut<Value>,
) -> Result<(), CudaError> {
    let n = n as u32;
    // SAFETY: the plan made all three of n entries; the kernel is made for a sum in place.
    unsafe { device.launch(&kernels.add, kernels.vectors(n), (a, b, n, to)) }
}

/// `to[i, o] += bias[o]` over `rows` rows of `channels` values.
pub(super) fn add_bias(
    (device, kernels): On<'_>,
    rows: usize,
    channels: usize,
    bias: Ptr<f32>,
    to: PtrMut<Value>,
) -> Result<(), CudaError> {
    let n = (rows * channels) as u32;
    let arguments = (bias, n, Divisor::new(channels), to);
    // SAFETY: the output has rows times channels values, the bias a value a channel.
    unsafe { device.launch(&kernels.add_bias, kernels.vectors(n), arguments) }
}
