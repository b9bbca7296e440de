//! What a method keeps from step to step.

#![allow(unsafe_code, reason = "launches of kernels")]

use core::borrow::{Borrow, BorrowMut};

use crate::{CudaError, Device, DeviceVec, Gradient, Grid, PtrMut};

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

    /// Takes over `next` if the step that `flag` is of goes through, and counts `steps` on if so; else nothing changes. Waits
    /// for nothing. 1 read and 1 write a weight.
    pub(crate) fn keep(
        &mut self,
        next: &Gradient,
        flag: &DeviceVec<u32>,
        steps: Option<&mut DeviceVec<u64>>,
    ) -> Result<(), CudaError> {
        let own = self.gradient.values_mut();
        CudaError::check_length("gradient buffer", own.len(), next.len())?;
        let (n, device) = (next.len() as u32, own.device().clone());
        next.values().check_device("gradient", &device)?;
        let steps = steps.map_or(PtrMut::NULL, |steps| steps.view_mut().ptr());
        let from = next.values().view().ptr();
        let arguments = (from, n, flag.view().ptr(), own.view_mut().ptr(), steps);
        // SAFETY: both gradients have n entries and are two buffers; flag and, unless null, the count are single values.
        unsafe { device.launch(&device.kernels().keep, Grid::vectors(n, size_of::<f32>()), arguments) }
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
