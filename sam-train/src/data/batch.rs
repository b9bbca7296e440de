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
    /// Images that [`BatchMaker::visit`] shows at a time.
    capacity: usize,
    /// The latest batch, and more where one before was larger.
    images: Array4<f32>,
    /// What was read last of images that are left in their file.
    buffer: Vec<u8>,
}

impl BatchMaker {
    /// Makes batches of about `capacity` images, standardised by the training images of `dataset`.
    ///
    /// # Errors
    /// [`DataError`], when the file of the images cannot be read.
    pub fn new(dataset: &Dataset, capacity: usize) -> Result<Self, DataError> {
        let Dataset { train, shape, .. } = dataset;
        let standardizer = Standardizer::fit(train, shape.channels)?;
        Ok(Self::of(train.pixels.clone(), *shape, standardizer, capacity))
    }

    /// Makes batches of `pixels`, images of `shape`.
    pub fn of(pixels: Pixels, shape: ImageShape, standardizer: Standardizer, capacity: usize) -> Self {
        let images = Array4::zeros((0, shape.height, shape.width, shape.channels));
        Self { pixels, shape, standardizer, capacity, images, buffer: Vec::new() }
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
        let size = self.shape.len();
        let values = room(&mut self.images, self.shape, chosen.len());
        for (values, &index) in values.chunks_exact_mut(size).zip(chosen) {
            let image = self.pixels.get(index * size..(index + 1) * size, &mut self.buffer)?;
            let mut random = stream(seed, Purpose::Augmentation, epoch, index as u64);
            augment.write(image, self.shape, &self.standardizer, &mut random, values);
        }
        Ok(self.images.slice(s![..chosen.len(), .., .., ..]))
    }

    /// Gives the latest batch away for another array, which the next one is written to.
    pub(super) fn swap(&mut self, images: &mut Array4<f32>) {
        std::mem::swap(&mut self.images, images);
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
        let mut labels = set.labels.chunks(self.capacity);
        set.pixels.chunks(self.capacity * self.shape.len(), |pixels| {
            let labels = labels.next().unwrap_or_default();
            let values = room(&mut self.images, self.shape, labels.len());
            self.standardizer.apply(pixels, &mut values[..pixels.len()]);
            visit(self.images.slice(s![..labels.len(), .., .., ..]), labels)
        })
    }
}

/// The values of `images`, of which there are at least `count` of `shape` from now on.
fn room(images: &mut Array4<f32>, shape: ImageShape, count: usize) -> &mut [f32] {
    if images.dim().0 < count {
        *images = Array4::zeros((count, shape.height, shape.width, shape.channels));
    }
    images.as_slice_mut().expect("an array that was created whole is contiguous")
}
