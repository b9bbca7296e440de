//! Activations on the device, or gradients of such.

use crate::{
    CudaError, Device, DeviceVec, PtrMut,
    element::{Element, Value, rounded, widened},
};

/// A fixed number of values, each of the same [`Element`].
pub(crate) enum Activations {
    F32(DeviceVec<f32>),
    /// By their bits.
    Bf16(DeviceVec<u16>),
}

impl Activations {
    pub fn zeros(device: &Device, element: Element, len: usize) -> Result<Self, CudaError> {
        Ok(match element {
            Element::F32 => Self::F32(DeviceVec::zeros(device, len)?),
            Element::Bf16 => Self::Bf16(DeviceVec::zeros(device, len)?),
        })
    }

    /// As [`DeviceVec::from_slice`], rounded.
    pub fn from_slice(device: &Device, element: Element, values: &[f32]) -> Result<Self, CudaError> {
        let mut own = Self::zeros(device, element, values.len())?;
        own.write(values)?;
        Ok(own)
    }

    /// As [`DeviceVec::write`], rounded.
    pub fn write(&mut self, values: &[f32]) -> Result<(), CudaError> {
        match self {
            Self::F32(own) => own.write(values),
            Self::Bf16(own) => own.write(&values.iter().copied().map(rounded).collect::<Vec<_>>()),
        }
    }

    /// As [`DeviceVec::read`].
    pub fn read(&self) -> Result<Vec<f32>, CudaError> {
        match self {
            Self::F32(own) => own.read(),
            Self::Bf16(own) => Ok(own.read()?.into_iter().map(widened).collect()),
        }
    }

    pub fn at(&self) -> PtrMut<Value> {
        match self {
            Self::F32(own) => own.shared_ptr().cast(),
            Self::Bf16(own) => own.shared_ptr().cast(),
        }
    }

    pub const fn len(&self) -> usize {
        match self {
            Self::F32(own) => own.len(),
            Self::Bf16(own) => own.len(),
        }
    }

    pub const fn bytes(&self) -> usize {
        match self {
            Self::F32(_) => self.len() * Element::F32.bytes(),
            Self::Bf16(_) => self.len() * Element::Bf16.bytes(),
        }
    }
}
