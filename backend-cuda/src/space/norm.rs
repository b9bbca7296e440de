//! The dual norm of a gradient, on the device until somebody reads it.

use std::sync::Arc;

use sam_core::Verdict;

use crate::{CudaError, DeviceVec, Slice, kernels::NormParts};

/// The dual norm of the latest gradient that its [`CudaSpace`](crate::CudaSpace) was shown, on the device.
///
/// There is one such number in a space: the next step overwrites it. Read it before.
#[derive(Clone, Debug)]
pub struct DeviceNorm(Arc<DeviceVec<NormParts>>);

impl DeviceNorm {
    pub(crate) const fn new(parts: Arc<DeviceVec<NormParts>>) -> Self {
        Self(parts)
    }

    pub(crate) fn parts(&self) -> Slice<'_, NormParts> {
        self.0.view()
    }

    fn read(&self) -> Result<NormParts, CudaError> {
        let mut parts = [NormParts::default()];
        self.0.read_into(&mut parts)?;
        Ok(parts[0])
    }

    /// The norm; waits for the device. Infinite if it is beyond the largest number, or the gradient not finite.
    ///
    /// # Errors
    /// A device that fails.
    pub fn value(&self) -> Result<f64, CudaError> {
        self.read().map(|parts| parts.scale * parts.scaled)
    }

    /// What the norm says about the gradient; waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    pub fn verdict(&self) -> Result<Verdict, CudaError> {
        self.read().map(|parts| parts.verdict())
    }

    /// The power of two and the factor whose product is `rho / norm`; waits for the device. What the ascent for p = 2
    /// multiplies a gradient by: see [`Ascent::Along`](sam_core::formula::Ascent::Along).
    ///
    /// # Errors
    /// A device that fails.
    pub fn unit_and_factor(&self) -> Result<(f64, f64), CudaError> {
        self.read().map(|parts| (parts.unit, parts.factor))
    }
}
