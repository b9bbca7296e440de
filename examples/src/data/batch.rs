//! Which images a batch holds, and their values.

use ndarray::{Array4, ArrayView4, s};
use rand::seq::SliceRandom;

use super::{Augment, DataError, Dataset, ImageSet, Standardizer};
use crate::random::{Purpose, stream};

/// The order in which the epoch `epoch` of the run `seed` sees `count` images: a uniformly random permutation.
pub fn epoch_order(seed: u64, epoch: u64, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut stream(seed, Purpose::Order, epoch, 0));
    order
}

/// Copies chosen images into a buffer as standardised values.
#[derive(Debug)]
pub struct BatchMaker<'a> {
    dataset: &'a Dataset,
    standardizer: Standardizer,
    images: Array4<f32>,
    /// What was read last of images that are left in their file.
    buffer: Vec<u8>,
}

impl<'a> BatchMaker<'a> {
    /// Makes batches of up to `capacity` images, standardised by the training images of `dataset`.
    ///
    /// # Errors
    /// [`DataError`], when the file of the images cannot be read.
    pub fn new(dataset: &'a Dataset, capacity: usize) -> Result<Self, DataError> {
        let shape = dataset.shape;
        Ok(Self {
            dataset,
            standardizer: Standardizer::fit(&dataset.train, shape.channels)?,
            images: Array4::zeros((capacity, shape.height, shape.width, shape.channels)),
            buffer: Vec::new(),
        })
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
        let dataset = self.dataset;
        let size = dataset.shape.len();
        let standardizer = &self.standardizer;
        for (values, &index) in as_values(&mut self.images).chunks_exact_mut(size).zip(chosen) {
            let image = dataset.train.pixels.get(index * size..(index + 1) * size, &mut self.buffer)?;
            let mut random = stream(seed, Purpose::Augmentation, epoch, index as u64);
            augment.write(image, dataset.shape, standardizer, &mut random, values);
        }
        Ok(self.images.slice(s![..chosen.len(), .., .., ..]))
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
        let size = self.dataset.shape.len();
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
