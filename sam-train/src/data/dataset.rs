//! A data set as it was published.

use std::{path::Path, sync::Arc};

use sam_model::ImageShape;
use sha2::{Digest, Sha256};

use super::{ByteScale, DataError, Pixels, Standardizer, decoded::Decoded, idx::IdxImages};

/// Bytes hashed at a time.
const HASHED_AT_ONCE: usize = 1 << 20;

/// Images with labels: a training set or a test set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSet {
    /// Bytes image by image, row by row, pixel by pixel, channel by channel (NHWC).
    pub pixels: Pixels,
    /// A class for each image.
    pub labels: Vec<u16>,
}

/// A training set and a test set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// The data set's name.
    pub name: String,
    /// The size of every image.
    pub shape: ImageShape,
    /// The number of classes; labels are below it.
    pub classes: usize,
    /// As many names as classes.
    pub class_names: Vec<String>,
    /// What networks are trained on.
    pub train: ImageSet,
    /// What they are judged by.
    pub test: ImageSet,
    /// What bytes are standardised by.
    pub scale: ByteScale,
}

impl ImageSet {
    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Bytes of an image.
    pub fn image_len(&self) -> usize {
        self.pixels.len() / self.len().max(1)
    }

    /// Forgets all but the first `count` images.
    pub fn truncate(&mut self, count: usize) {
        self.pixels.truncate(count.saturating_mul(self.image_len()));
        self.labels.truncate(count);
    }

    /// The images `chosen` (indices) and their labels, in memory unless they are pictures left in their files.
    ///
    /// # Errors
    /// [`DataError`], when the file of the images cannot be read.
    pub fn subset(&self, chosen: impl IntoIterator<Item = usize>) -> Result<Self, DataError> {
        if let Pixels::Pictures(pictures) = &self.pixels {
            let chosen: Vec<usize> = chosen.into_iter().collect();
            let labels = chosen.iter().map(|&index| self.labels[index]).collect();
            return Ok(Self { pixels: Pixels::Pictures(pictures.chosen(chosen)), labels });
        }
        let size = self.image_len();
        let (mut pixels, mut labels, mut buffer) = (Vec::new(), Vec::new(), Vec::new());
        for index in chosen {
            pixels.extend_from_slice(self.pixels.get(index * size..(index + 1) * size, &mut buffer)?);
            labels.push(self.labels[index]);
        }
        Ok(Self { pixels: pixels.into(), labels })
    }

    /// Joins images with their labels.
    pub(super) fn from_idx(
        images_path: &Path,
        images: IdxImages,
        labels_path: &Path,
        labels: Vec<u16>,
    ) -> Result<Self, DataError> {
        if images.count != labels.len() {
            return Err(DataError::Count {
                images_path: images_path.to_owned(),
                images: images.count,
                labels_path: labels_path.to_owned(),
                labels: labels.len(),
            });
        }
        Ok(Self { pixels: images.pixels, labels })
    }
}

impl Dataset {
    /// The test error, in percent, of naming the most frequent class of the test set for every image.
    pub fn chance_error(&self) -> f64 {
        let mut counts = vec![0_usize; self.classes];
        self.test.labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
        let most = counts.into_iter().max().unwrap_or(0);
        100.0 * (1.0 - most as f64 / self.test.len().max(1) as f64)
    }

    /// What bytes become: as the data set's scale says.
    ///
    /// # Errors
    /// As [`Standardizer::fit`].
    pub fn standardizer(&self) -> Result<Standardizer, DataError> {
        let channels = self.shape.channels;
        match self.scale.moments(channels) {
            Some(moments) => Ok(Standardizer::of(&moments)),
            None => Standardizer::fit(&self.train.pixels, channels),
        }
    }

    /// Keeps pictures that stay in their files, once they were decoded, in a temporary file of up to `bytes`; no image depends on it. Returns
    /// whether there are such pictures.
    ///
    /// # Errors
    /// [`DataError::NoCache`], when the file cannot be made.
    pub fn keep_decoded(&mut self, bytes: u64) -> Result<bool, DataError> {
        let sets = [&mut self.train, &mut self.test];
        let mut pictures: Vec<_> = sets
            .into_iter()
            .filter_map(|set| match &mut set.pixels {
                Pixels::Pictures(pictures) => Some(pictures),
                Pixels::Memory(_) | Pixels::File(_) => None,
            })
            .collect();
        let count = pictures.iter().map(|pictures| pictures.count()).sum();
        if count == 0 {
            return Ok(false);
        }
        let decoded = Decoded::new(count, bytes)
            .map_err(|source| DataError::NoCache { folder: std::env::temp_dir(), source })?;
        let (decoded, mut first) = (Arc::new(decoded), 0);
        for pictures in &mut pictures {
            **pictures = pictures.kept_in(&decoded, first);
            first += pictures.count();
        }
        Ok(true)
    }

    /// SHA-256 over the shape and every pixel and label, in hexadecimal: tells whether two runs saw the same data.
    ///
    /// # Errors
    /// [`DataError`], when a file of images cannot be read.
    pub fn fingerprint(&self) -> Result<String, DataError> {
        let mut hash = Sha256::new();
        for number in [self.shape.height, self.shape.width, self.shape.channels, self.classes] {
            hash.update((number as u64).to_le_bytes());
        }
        for set in [&self.train, &self.test] {
            hash.update((set.len() as u64).to_le_bytes());
            set.pixels.chunks(HASHED_AT_ONCE, |bytes| {
                hash.update(bytes);
                Ok::<_, DataError>(())
            })?;
            set.labels.iter().for_each(|label| hash.update(label.to_le_bytes()));
        }
        Ok(crate::hex(&hash.finalize()))
    }
}
