//! Image data sets: readers, where they are found, and how batches are made of them.
//!
//! A [`Dataset`] holds bytes as they were published, or knows the file that does; a [`BatchMaker`] standardises and
//! augments them while it copies them into a batch.

mod augment;
mod batch;
mod bicubic;
mod byte_scale;
pub mod cifar;
mod dataset;
mod decoded;
mod digits;
mod error;
mod file;
pub mod idx;
mod label_noise;
pub mod mat;
mod newest;
pub mod other_labels;
pub mod own;
mod pixels;
mod prefetch;
mod source;
pub mod split;
mod standardize;
mod streamed;
mod unpacking;
mod views;

pub use augment::{
    Augment, AugmentDetails, Augmentation, CutoutAt, Operation, PADDING, Padding, Place, Policy, Scale,
    Senseless,
};
pub use batch::{BatchMaker, BatchShare, epoch_order};
pub use byte_scale::ByteScale;
pub use dataset::{Dataset, ImageSet};
pub use error::DataError;
pub use label_noise::{NoisyLabels, replace_at_random};
pub use pixels::{FilePart, Pixels};
pub use prefetch::Prefetcher;
pub use source::{DataSource, UnknownDataSource};
pub use standardize::{Moments, Standardizer};
pub use streamed::Pictures;
pub use unpacking::{Expanded, UnpackLimit};

use std::path::Path;

/// Names of classes that have none but their numbers.
fn numbered(classes: usize) -> Vec<String> {
    (0..classes).map(|class| class.to_string()).collect()
}

/// The labels, if each is below `classes`.
fn checked_labels(path: &Path, labels: Vec<u16>, classes: usize) -> Result<Vec<u16>, DataError> {
    match labels.iter().position(|&label| usize::from(label) >= classes) {
        None => Ok(labels),
        Some(position) => {
            Err(DataError::Label { path: path.to_owned(), position, label: labels[position], classes })
        }
    }
}
