//! The embedded default: UCI optical digits, 1,200 training and 597 test images of 8×8 pixels.
//!
//! `data/SOURCE.md` says where they come from, `data/pack_digits.py` how they were split and packed.

use std::path::Path;

use sam_model::ImageShape;

use super::{DataError, Dataset, ImageSet, idx};

macro_rules! embedded {
    ($name:literal) => {
        (Path::new(concat!("(embedded) ", $name)), include_bytes!(concat!("../../data/", $name)).as_slice())
    };
}

/// Unpacks the digits with the reader that reads every other IDX file.
pub(super) fn load() -> Result<Dataset, DataError> {
    const CLASSES: usize = 10;
    let set = |(images_path, images), (labels_path, labels)| {
        let images = idx::parse_images(images_path, images)?;
        let shape = ImageShape { height: images.height, width: images.width, channels: 1 };
        let labels = idx::parse_labels(labels_path, labels, CLASSES)?;
        Ok((ImageSet::from_idx(images_path, images, labels_path, labels)?, shape))
    };
    let (train, shape) =
        set(embedded!("train-images-idx3-ubyte.gz"), embedded!("train-labels-idx1-ubyte.gz"))?;
    let (test, _) = set(embedded!("t10k-images-idx3-ubyte.gz"), embedded!("t10k-labels-idx1-ubyte.gz"))?;
    Ok(Dataset {
        name: "digits".to_owned(),
        shape,
        classes: CLASSES,
        class_names: super::numbered(CLASSES),
        train,
        test,
        scale: super::ByteScale::Data,
    })
}
