//! Training images in device memory, from which batches are made there.

#![allow(unsafe_code, reason = "launches of kernels")]

use core::ops::Range;

use sam_model::Shape;

use super::NetworkError;
use crate::{
    CudaError, Device, DeviceVec, Grid, PtrMut,
    kernels::{Divisor, Turn},
};

/// Values of a byte.
const BYTES: usize = 256;
/// Threads of a block, which makes one image.
const THREADS: u32 = 256;

/// Images with their labels on the device, and the order in which they are learned from.
///
/// An image is bytes, row by row, pixel by pixel, channel by channel; a table says what number each byte of a channel
/// stands for. Memory: a byte a value, two words an image. A batch is one launch and one read of its bytes; of the host it
/// needs where in the order it begins.
#[derive(Debug)]
pub struct DeviceImages {
    pixels: DeviceVec<u8>,
    labels: DeviceVec<u32>,
    tables: DeviceVec<f32>,
    order: DeviceVec<u32>,
    /// Images in the order.
    ordered: usize,
    shape: Shape,
    largest_label: u16,
}

/// How an image is changed when it is put into a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Augmentation {
    /// Pixels of padding on each side, of zeros, before a crop of the old size at a random place.
    pub padding: usize,
    /// Erases a square of half the width around a random pixel, cut at the border (DeVries and Taylor, 2017).
    pub cutout: bool,
    /// What the random numbers depend on, with the image's number: they are words of `ChaCha8`, keyed by these
    /// three and that one, little-endian. Drawn are a bit (mirrored left to right), row and column of the crop, row and
    /// column of the erased square's centre.
    pub key: [u64; 3],
}

impl DeviceImages {
    /// Copies `labels.len()` images of `shape`; `tables` has one table for each channel. Their order is that of the images.
    ///
    /// # Errors
    /// [`CudaError::Length`] if pixels or tables are too many or too few; [`CudaError::Memory`] if there is no room for them.
    pub fn new(
        device: &Device,
        shape: Shape,
        pixels: &[u8],
        labels: &[u16],
        tables: &[[f32; BYTES]],
    ) -> Result<Self, CudaError> {
        CudaError::check_length("pixels", labels.len() * shape.len(), pixels.len())?;
        CudaError::check_length("tables of a channel's bytes", shape.channels, tables.len())?;
        let wide: Vec<u32> = labels.iter().copied().map(u32::from).collect();
        let order: Vec<u32> = (0..labels.len() as u32).collect();
        Ok(Self {
            pixels: DeviceVec::from_slice(device, pixels)?,
            labels: DeviceVec::from_slice(device, &wide)?,
            tables: DeviceVec::from_slice(device, tables.as_flattened())?,
            order: DeviceVec::from_slice(device, &order)?,
            ordered: order.len(),
            shape,
            largest_label: labels.iter().copied().max().unwrap_or(0),
        })
    }

    /// Number of images.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The order of an epoch: numbers of images, at most as many as there are. Waits for the device, once an epoch.
    ///
    /// # Errors
    /// [`CudaError::Length`] for a number that no image has, or too many of them.
    pub fn set_order(&mut self, order: &[usize]) -> Result<(), CudaError> {
        let images = self.len();
        if let Some(&found) = order.iter().find(|&&image| image >= images) {
            return Err(CudaError::Length { what: "image of an order", expected: images, found });
        }
        let order: Vec<u32> = order.iter().map(|&image| image as u32).collect();
        self.order.write(&order)?;
        self.ordered = order.len();
        Ok(())
    }

    /// Whether the images are of that shape and their labels below `classes`, and whether `range` is a part of the order.
    pub(crate) fn check(
        &self,
        shape: Shape,
        classes: usize,
        range: &Range<usize>,
    ) -> Result<(), NetworkError> {
        if shape != self.shape {
            return Err(NetworkError::Images { expected: shape, found: self.shape });
        }
        if usize::from(self.largest_label) >= classes {
            let (found, sample) = (self.largest_label, 0);
            return Err(NetworkError::Label { classes, found, sample });
        }
        if range.end > self.ordered {
            let (expected, found) = (self.ordered, range.end);
            return Err(CudaError::Length { what: "order of the images", expected, found }.into());
        }
        Ok(())
    }

    pub(crate) fn check_device(&self, device: &Device) -> Result<(), CudaError> {
        self.pixels.check_device("images", device)
    }

    /// Has the images at `range` of the order, and their labels, written where there must be room for them.
    pub(crate) fn launch(
        &self,
        range: &Range<usize>,
        augmentation: Option<&Augmentation>,
        images: PtrMut<f32>,
        labels: PtrMut<u32>,
    ) -> Result<(), CudaError> {
        let device = self.pixels.device();
        let arguments = (
            self.pixels.view().ptr(),
            self.labels.view().ptr(),
            self.tables.view().ptr(),
            self.order.view().ptr(),
            range.start as u32,
            self.turn(augmentation),
            images,
            labels,
        );
        let grid = Grid::new([range.len() as u32, 1, 1], THREADS);
        // SAFETY: the range lies within the order, whose numbers are of images; the caller has room for so many.
        unsafe { device.launch(&device.kernels().augment, grid, arguments) }
    }

    fn turn(&self, augmentation: Option<&Augmentation>) -> Turn {
        let Shape { height, width, channels } = self.shape;
        let key = augmentation.map_or([0; 3], |augmentation| augmentation.key);
        Turn {
            draws: u32::from(augmentation.is_some()),
            erases: u32::from(augmentation.is_some_and(|augmentation| augmentation.cutout)),
            padding: augmentation.map_or(0, |augmentation| augmentation.padding as u32),
            height: height as u32,
            width: width as u32,
            by_channels: Divisor::new(channels),
            by_width: Divisor::new(width),
            key: core::array::from_fn(|i| (key[i / 2] >> (32 * (i % 2))) as u32),
        }
    }
}
