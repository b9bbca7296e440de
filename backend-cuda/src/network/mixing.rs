//! Batches whose images are mixed in pairs.

#![allow(unsafe_code, reason = "launches of kernels")]

use super::{CudaNetwork, NetworkError};
use crate::{CudaError, Device, DeviceVec, Grid, Ptr, kernels::Divisor};

/// What mixed batches take beside the batch: as much again, and two words a sample.
pub(super) struct Mixing {
    /// The images as they were.
    images: DeviceVec<f32>,
    partners: DeviceVec<u32>,
    /// The labels of the partners.
    labels: DeviceVec<u32>,
    /// The images' own share.
    share: DeviceVec<f64>,
    /// The share that is on the device.
    known: f64,
}

impl Mixing {
    fn new(device: &Device, image: usize, batch: usize) -> Result<Self, CudaError> {
        Ok(Self {
            images: DeviceVec::zeros(device, image * batch)?,
            partners: DeviceVec::zeros(device, batch)?,
            labels: DeviceVec::zeros(device, batch)?,
            share: DeviceVec::from_slice(device, &[1.0])?,
            known: 1.0,
        })
    }

    /// A batch that is not mixed has its own labels only.
    pub fn begin(&mut self) -> Result<(), CudaError> {
        self.set_share(1.0)
    }

    fn set_share(&mut self, share: f64) -> Result<(), CudaError> {
        if self.known != share {
            self.share.store(&share)?;
            self.known = share;
        }
        Ok(())
    }

    /// Where the loss finds the labels of the partners of the samples from `first` on, and the images' own share.
    pub fn partners(&self, first: usize) -> (Ptr<u32>, Ptr<f64>) {
        (self.labels.view().ptr().add(first), self.share.view().ptr())
    }
}

impl CudaNetwork {
    /// Makes room for mixed batches: as much again as the batch of images takes. From here on losses of gradients are of two labels a
    /// sample; of batches that are not mixed the second has no share.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn with_mixing(self) -> Result<Self, CudaError> {
        let image = self.description.image().len();
        let mixing = Some(Mixing::new(&self.device, image, self.batch)?);
        Ok(Self { mixing, ..self })
    }

    /// Mixes the batch that is set in pairs (mixup; Zhang et al., ICLR 2018): sample i becomes `share` of itself and the rest of sample
    /// `partners[i]`, and so does its target in the loss. Since the loss is linear in the target, one gradient is enough. The images have
    /// the bits of the CPU's. Waits for the device, for the partners that it copies.
    ///
    /// # Errors
    /// [`NetworkError::NoBatch`] without one, or without [`CudaNetwork::with_mixing`]; [`CudaError::Length`] if there is not one
    /// partner for each sample, or one is none of the batch's.
    pub fn mix(&mut self, partners: &[u32], share: f64) -> Result<(), NetworkError> {
        let (samples, len) = (self.samples, self.description.image().len());
        let Some(mixing) = self.mixing.as_mut().filter(|_| samples > 0) else {
            return Err(NetworkError::NoBatch);
        };
        CudaError::check_length("partners of mixed images", samples, partners.len())?;
        if let Some(&found) = partners.iter().find(|&&partner| partner as usize >= samples) {
            let found = found as usize;
            return Err(
                CudaError::Length { what: "partner of a mixed image", expected: samples, found }.into()
            );
        }
        mixing.partners.write(partners)?;
        mixing.set_share(share)?;
        let (device, n) = (&self.device, samples * len);
        let images = self.images.values.shared_ptr();
        device.copy(n, images.reading(), mixing.images.shared_ptr())?;
        let (n, own, other) = (n as u32, share as f32, (1.0 - share) as f32);
        let (from, partners) = (mixing.images.view().ptr(), mixing.partners.view().ptr());
        let arguments = (from, partners, n, Divisor::new(len), own, other, images);
        // SAFETY: both are of so many samples, and partners are among them.
        unsafe {
            device.launch(&device.kernels().mixup_images, Grid::vectors(n, size_of::<f32>()), arguments)?;
        };
        let samples = samples as u32;
        let labels = (self.loss.labels.view().ptr(), partners, samples, mixing.labels.shared_ptr());
        // SAFETY: there is a label for each sample, and partners are among them.
        unsafe { device.launch(&device.kernels().mixup_labels, Grid::over(samples), labels)? };
        Ok(())
    }
}
