//! Which images a batch holds, and their values.

use ndarray::{Array4, ArrayView4, s};
use rand::seq::SliceRandom;
use sam_model::ImageShape;

use super::{Augment, DataError, Dataset, ImageSet, Pixels, Standardizer};
use crate::random::{Purpose, stream};

/// The order in which the epoch `epoch` of the run `seed` sees `count` images: a uniformly random permutation.
pub fn epoch_order(seed: u64, epoch: u64, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut stream(seed, Purpose::Order, epoch, 0));
    order
}

/// Copies chosen images into a buffer as standardised values.
#[derive(Debug, Clone)]
pub struct BatchMaker {
    /// The training images.
    pixels: Pixels,
    shape: ImageShape,
    standardizer: Standardizer,
    images: Array4<f32>,
    /// What was read last of images that are left in their file.
    buffer: Vec<u8>,
}

impl BatchMaker {
    /// Makes batches of up to `capacity` images, standardised by the training images of `dataset`.
    ///
    /// # Errors
    /// [`DataError`], when the file of the images cannot be read.
    pub fn new(dataset: &Dataset, capacity: usize) -> Result<Self, DataError> {
        let shape = dataset.shape;
        Ok(Self {
            pixels: dataset.train.pixels.clone(),
            shape,
            standardizer: Standardizer::fit(&dataset.train, shape.channels)?,
            images: Array4::zeros((capacity, shape.height, shape.width, shape.channels)),
            buffer: Vec::new(),
        })
    }

    /// The shape of an image.
    pub(super) fn shape(&self) -> ImageShape {
        self.shape
    }

    /// Whether images are read from a file as they are needed.
    pub(super) fn reads_a_file(&self) -> bool {
        matches!(self.pixels, Pixels::File(_))
    }

    /// What bytes become.
    pub fn standardizer(&self) -> &Standardizer {
        &self.standardizer
    }

    /// The training images `chosen` (indices), each augmented by the stream of (`seed`, `epoch`, its index). NHWC.
    ///
    /// # Errors
    /// As [`BatchMaker::new`].
    pub fn train(
        &mut self,
        chosen: &[usize],
        augment: Augment,
        seed: u64,
        epoch: u64,
    ) -> Result<ArrayView4<'_, f32>, DataError> {
        let mut images = std::mem::take(&mut self.images);
        let outcome = self.write(chosen, augment, seed, epoch, as_values(&mut images));
        self.images = images;
        outcome?;
        Ok(self.images.slice(s![..chosen.len(), .., .., ..]))
    }

    /// As [`BatchMaker::train`], but into `images`, which becomes as large as the batch.
    pub(super) fn train_into(
        &mut self,
        chosen: &[usize],
        augment: Augment,
        seed: u64,
        epoch: u64,
        images: &mut Array4<f32>,
    ) -> Result<(), DataError> {
        let ImageShape { height, width, channels } = self.shape;
        let dim = (chosen.len(), height, width, channels);
        if images.dim() != dim {
            *images = Array4::zeros(dim);
        }
        self.write(chosen, augment, seed, epoch, as_values(images))
    }

    fn write(
        &mut self,
        chosen: &[usize],
        augment: Augment,
        seed: u64,
        epoch: u64,
        values: &mut [f32],
    ) -> Result<(), DataError> {
        let size = self.shape.len();
        for (values, &index) in values.chunks_exact_mut(size).zip(chosen) {
            let image = self.pixels.get(index * size..(index + 1) * size, &mut self.buffer)?;
            let mut random = stream(seed, Purpose::Augmentation, epoch, index as u64);
            augment.write(image, self.shape, &self.standardizer, &mut random, values);
        }
        Ok(())
    }

    /// Calls `visit` with all images of `set`, `capacity` at a time and unaugmented, and their labels.
    ///
    /// # Errors
    /// The first error of `visit`; as [`BatchMaker::new`].
    pub fn visit<E: From<DataError>>(
        &mut self,
        set: &ImageSet,
        mut visit: impl FnMut(ArrayView4<'_, f32>, &[u16]) -> Result<(), E>,
    ) -> Result<(), E> {
        let capacity = self.images.dim().0;
        let size = self.shape.len();
        let mut labels = set.labels.chunks(capacity);
        set.pixels.chunks(capacity * size, |pixels| {
            let labels = labels.next().unwrap_or_default();
            self.standardizer.apply(pixels, &mut as_values(&mut self.images)[..pixels.len()]);
            visit(self.images.slice(s![..labels.len(), .., .., ..]), labels)
        })
    }
}

fn as_values(images: &mut Array4<f32>) -> &mut [f32] {
    images.as_slice_mut().expect("an array that was created whole is contiguous")
}
