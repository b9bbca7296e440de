//! Which images a batch holds, and their values.

use ndarray::{Array4, ArrayView4, s};
use rand::seq::SliceRandom;
use sam_model::ImageShape;

use super::{
    Augmentation, DataError, Dataset, ImageSet, Pixels, Standardizer,
    augment::{Place, Scratch},
    streamed,
};
use crate::random::{Purpose, stream};

/// The order in which the epoch `epoch` of the run `seed` sees `count` images: a uniformly random permutation.
pub fn epoch_order(seed: u64, epoch: u64, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut stream(seed, Purpose::Order, epoch, 0));
    order
}

/// Images of one batch, all of them or those that one of several processes makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchShare<'a> {
    /// Indices of the images.
    pub chosen: &'a [usize],
    /// The first image of the whole batch: what a batch has in common is drawn by it.
    pub batch: usize,
}

impl<'a> From<&'a [usize]> for BatchShare<'a> {
    fn from(chosen: &'a [usize]) -> Self {
        Self { chosen, batch: chosen.first().copied().unwrap_or(0) }
    }
}

impl<'a, const N: usize> From<&'a [usize; N]> for BatchShare<'a> {
    fn from(chosen: &'a [usize; N]) -> Self {
        chosen.as_slice().into()
    }
}

impl<'a> From<&'a Vec<usize>> for BatchShare<'a> {
    fn from(chosen: &'a Vec<usize>) -> Self {
        chosen.as_slice().into()
    }
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
    /// An image that a policy changes.
    scratch: Scratch,
}

impl BatchMaker {
    /// Makes batches of about `capacity` images, standardised by the training images of `dataset`.
    ///
    /// # Errors
    /// [`DataError`], when the file of the images cannot be read.
    pub fn new(dataset: &Dataset, capacity: usize) -> Result<Self, DataError> {
        let Dataset { train, shape, .. } = dataset;
        let standardizer = dataset.standardizer()?;
        Ok(Self::of(train.pixels.clone(), *shape, standardizer, capacity))
    }

    /// Makes batches of `pixels`, images of `shape`.
    pub fn of(pixels: Pixels, shape: ImageShape, standardizer: Standardizer, capacity: usize) -> Self {
        let images = Array4::zeros((0, shape.height, shape.width, shape.channels));
        Self {
            pixels,
            shape,
            standardizer,
            capacity,
            images,
            buffer: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// The shape of an image.
    pub(super) fn shape(&self) -> ImageShape {
        self.shape
    }

    /// Whether images are read from a file as they are needed.
    pub(super) fn reads_a_file(&self) -> bool {
        !matches!(self.pixels, Pixels::Memory(_))
    }

    /// What bytes become.
    pub fn standardizer(&self) -> &Standardizer {
        &self.standardizer
    }

    /// The training images `chosen` (indices, a whole batch or a [`BatchShare`] of one), each augmented by the streams of (`seed`,
    /// `epoch`, its index). NHWC.
    ///
    /// # Errors
    /// As [`BatchMaker::new`].
    pub fn train<'a>(
        &mut self,
        chosen: impl Into<BatchShare<'a>>,
        augmentation: impl Into<Augmentation>,
        seed: u64,
        epoch: u64,
    ) -> Result<ArrayView4<'_, f32>, DataError> {
        let (BatchShare { chosen, batch }, augmentation) = (chosen.into(), augmentation.into());
        let size = self.shape.len();
        let Self { pixels, shape, standardizer, images, buffer, scratch, .. } = self;
        let (pixels, shape, standardizer) = (&*pixels, *shape, &*standardizer);
        let values = room(images, shape, chosen.len());
        let write = |&index: &usize, (buffer, scratch): &mut (Vec<u8>, Scratch), values: &mut [f32]| {
            let place = Place { seed, epoch, image: index, batch };
            let image = match pixels {
                Pixels::Pictures(pictures) => {
                    *buffer = pictures.view(index, |picture, to| augmentation.view(picture, to, place))?;
                    &buffer[..]
                }
                pixels => pixels.get(index * size..(index + 1) * size, buffer)?,
            };
            augmentation.write(image, shape, standardizer, place, scratch, values);
            Ok(())
        };
        let chosen_values = &mut values[..chosen.len() * size];
        if let Pixels::Pictures(_) = pixels {
            streamed::on_threads(chosen, chosen_values, size, Default::default, write)?;
        } else {
            // What they have is kept from batch to batch.
            let mut kept = (std::mem::take(buffer), std::mem::take(scratch));
            let mut each = chosen.iter().zip(chosen_values.chunks_exact_mut(size));
            let outcome = each.try_for_each(|(index, values)| write(index, &mut kept, values));
            (*buffer, *scratch) = kept;
            outcome?;
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
