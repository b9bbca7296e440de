//! What a method keeps from step to step.

use core::borrow::{Borrow, BorrowMut};

use crate::{CudaError, Device, Gradient};

/// A gradient that a method of `sam-core`'s keeps on the device, for its buffers. While state is saved or restored it has a
/// copy on the host, which is what [`State`](sam_core::State) sees of it.
#[derive(Debug)]
pub struct GradientBuffer {
    gradient: Gradient,
    host: Vec<f32>,
}

impl GradientBuffer {
    /// Zeros, for `len` parameters.
    ///
    /// # Errors
    /// As [`Gradient::zeros`].
    pub fn zeros(device: &Device, len: usize) -> Result<Self, CudaError> {
        Ok(Self { gradient: Gradient::zeros(device, len)?, host: Vec::new() })
    }

    /// Copies the device's values to the host; waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    pub fn pull(&mut self) -> Result<(), CudaError> {
        self.host = self.gradient.values().read()?;
        Ok(())
    }

    /// Copies the host's values to the device and forgets them here; waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    pub fn push(&mut self) -> Result<(), CudaError> {
        self.gradient.values_mut().write(&core::mem::take(&mut self.host))
    }
}

impl Borrow<Gradient> for GradientBuffer {
    fn borrow(&self) -> &Gradient {
        &self.gradient
    }
}

impl BorrowMut<Gradient> for GradientBuffer {
    fn borrow_mut(&mut self) -> &mut Gradient {
        &mut self.gradient
    }
}

/// The host's copy, empty unless there is one.
impl AsRef<[f32]> for GradientBuffer {
    fn as_ref(&self) -> &[f32] {
        &self.host
    }
}

/// The host's copy, empty unless there is one.
impl AsMut<[f32]> for GradientBuffer {
    fn as_mut(&mut self) -> &mut [f32] {
        &mut self.host
    }
}
