//! A gradient on the device, with the answer to whether its step may be made.

use std::sync::Arc;

use crate::{CudaError, Device, DeviceVec, Slice, SliceMut};

/// A gradient on the device, with the answer to whether the step that it belongs to may be made.
///
/// The answer lives beside the values because nobody on the host waits for it: [`CudaSpace`](crate::CudaSpace) writes it,
/// base optimizers read it in their kernels and do nothing where it is 0.
#[derive(Debug)]
pub struct Gradient {
    values: DeviceVec<f32>,
    /// Shared with what outlives the step, which asks for the answer at its end.
    finite: Arc<DeviceVec<u32>>,
}

impl Gradient {
    /// Zeros, for `len` parameters. Nothing has been found to be wrong with them.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn zeros(device: &Device, len: usize) -> Result<Self, CudaError> {
        let finite = Arc::new(DeviceVec::from_slice(device, &[1])?);
        Ok(Self { values: DeviceVec::zeros(device, len)?, finite })
    }

    /// Number of entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The entries.
    #[must_use]
    pub const fn values(&self) -> &DeviceVec<f32> {
        &self.values
    }

    /// The entries, for an oracle to write.
    #[must_use]
    pub const fn values_mut(&mut self) -> &mut DeviceVec<f32> {
        &mut self.values
    }

    /// 1 if the step's gradients were all finite as far as they were looked at, else 0: one word, for kernels to read.
    #[must_use]
    pub fn finite(&self) -> Slice<'_, u32> {
        self.finite.view()
    }

    /// [`Gradient::finite`] on the host, after all work before is done.
    ///
    /// # Errors
    /// As [`DeviceVec::read`].
    pub fn is_finite(&self) -> Result<bool, CudaError> {
        let mut word = [0];
        self.finite.read_into(&mut word)?;
        Ok(word[0] != 0)
    }

    /// The answer, for who needs it when the gradient is somebody else's again.
    pub(crate) fn flag(&self) -> &Arc<DeviceVec<u32>> {
        &self.finite
    }

    /// Where the space writes its answer; it has the gradient for reading only.
    pub(crate) fn finite_address(&self) -> crate::PtrMut<u32> {
        self.finite.shared_ptr()
    }

    /// Entries to write and the answer to read.
    #[must_use]
    pub fn parts(&mut self) -> (SliceMut<'_, f32>, Slice<'_, u32>) {
        (self.values.view_mut(), self.finite.view())
    }
}
