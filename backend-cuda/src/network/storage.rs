//! Where a network's images, activations and gradients of activations lie.

#![allow(unsafe_code, reason = "launches of kernels")]

use crate::{
    CudaError, Device, DeviceVec, Grid, PtrMut,
    activations::Activations,
    element::{Element, Value},
};

/// A buffer for each length, `batch` times as long.
pub(super) fn buffers(
    device: &Device,
    element: Element,
    lens: &[usize],
    batch: usize,
) -> Result<Vec<Activations>, CudaError> {
    lens.iter().map(|&len| Activations::zeros(device, element, total(len, batch)?)).collect()
}

/// As many of another element. Both are there at a time.
pub(super) fn others(
    device: &Device,
    element: Element,
    buffers: &[Activations],
) -> Result<Vec<Activations>, CudaError> {
    buffers.iter().map(|buffer| Activations::zeros(device, element, buffer.len())).collect()
}

fn total(len: usize, batch: usize) -> Result<usize, CudaError> {
    let found = len as u128 * batch as u128;
    usize::try_from(found).map_err(|_| CudaError::TooLarge { what: "activations", found })
}

/// A batch of images, as they are set, and as the network reads them.
pub(super) struct Images {
    pub values: DeviceVec<f32>,
    /// Of those that a pass is of, where activations are bf16.
    rounded: Option<DeviceVec<u16>>,
    /// Values of an image.
    len: usize,
}

impl Images {
    pub fn new(device: &Device, element: Element, len: usize, batch: usize) -> Result<Self, CudaError> {
        let values = DeviceVec::zeros(device, total(len, batch)?)?;
        let mut own = Self { values, rounded: None, len };
        own.set(element)?;
        Ok(own)
    }

    /// From now on they are read as `element`.
    pub fn set(&mut self, element: Element) -> Result<(), CudaError> {
        let room = || DeviceVec::zeros(self.values.device(), self.values.len());
        self.rounded = (element == Element::Bf16).then(room).transpose()?;
        Ok(())
    }

    pub fn bytes(&self) -> usize {
        let rounded = self.rounded.as_ref().map_or(0, DeviceVec::len);
        self.values.len() * Element::F32.bytes() + rounded * Element::Bf16.bytes()
    }

    /// Makes those from `first` on ready to be read. Does not wait.
    pub fn prepare(&self, first: usize, samples: usize) -> Result<(), CudaError> {
        let Some(rounded) = &self.rounded else { return Ok(()) };
        let device = self.values.device();
        let from = self.values.view().range(first * self.len..(first + samples) * self.len).ptr();
        let n = (samples * self.len) as u32;
        let kernels = device.tensor_kernels().expect("the precision was checked before it was set");
        // SAFETY: there are so many values from the first sample on, and as much room as for the whole batch.
        unsafe {
            device.launch(
                &kernels.round_bf16,
                Grid::vectors(n, Element::Bf16.bytes()),
                (from, n, rounded.shared_ptr()),
            )
        }
    }

    /// Where a pass finds those from `first` on, made ready.
    pub fn at(&self, first: usize) -> PtrMut<Value> {
        match &self.rounded {
            None => self.values.shared_ptr().add(first * self.len).cast(),
            Some(rounded) => rounded.shared_ptr().cast(),
        }
    }
}
