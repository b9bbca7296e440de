//! Data of one's own: a folder or a file is looked at, read by the reader of its format, and made into one data set.

mod arrays;
mod assemble;
mod cifar_files;
mod directory;
mod idx_files;
mod numpy;
mod parquet;
pub(super) mod picture;
mod pictures;
mod rows;
mod settings;
mod splits;
mod unreadable;

use std::{
    io::{BufRead, Seek},
    path::Path,
};

use sam_model::ImageShape;

use super::{DataError, Dataset, views::View};
use directory::{Content, Format};

pub(super) use arrays::{Array, Numbers};
pub use numpy::{labels as read_labels, parse as parse_numpy};
pub use picture::decode as decode_picture;
pub use rows::parse as parse_rows;
pub use settings::{FileSettings, Fit, OnBroken, PixelSize, TEST_SHARE};
pub use unreadable::Broken;

/// The bytes of a picture that is brought to `shape` as `fit` says: what a network trained on such pictures sees of it.
///
/// # Errors
/// What is wrong with it, for people.
pub fn show_picture(stream: impl BufRead + Seek, shape: ImageShape, fit: Fit) -> Result<Vec<u8>, String> {
    match fit {
        Fit::Cover => picture::decode(stream, shape),
        Fit::Centre => {
            let (bytes, whole) = picture::whole(stream, shape.channels)?;
            Ok(View::centre(whole, shape).show(&bytes, whole, shape))
        }
    }
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// The data set.
    pub dataset: Dataset,
    /// What it was read as.
    pub format: &'static str,
    /// What was decided, ambiguous or not read: a sentence each.
    pub notes: Vec<String>,
    /// Whether numbers became bytes by the smallest and the largest that these very files have.
    pub scaled_by_content: bool,
    /// What could not be read and was left out.
    pub broken: Vec<Broken>,
}

/// Reads the folder or file at `path`: class folders of PNG and JPEG pictures, CSV or Parquet with a column of labels, `.npy` and
/// `.npz`, IDX and the binary files of CIFAR, each of them in a part for training and one for testing or in one from which a
/// stratified share is held out.
///
/// Numbers are kept as bytes: those from 0 to 1 and from 0 to 255 by that scale, others in 256 levels between the smallest and the
/// largest in the training set (for rows of numbers that are no images, of each column). Training images are ordered such that
/// the first of them have all classes in their shares.
///
/// # Errors
/// [`DataError`], when nothing is there that can be read, the parts do not belong together, or something is broken and
/// `settings` say to stop.
pub fn read(path: &Path, settings: &FileSettings) -> Result<Found, DataError> {
    let content = Content::of(path)?;
    let mut notes = content.notes();
    let (parts, broken) = match content.format()? {
        Format::Pictures => pictures::read(&content, settings, &mut notes)?,
        Format::Rows => rows::read(&content, settings, &mut notes)?,
        Format::Parquet => parquet::read(&content, settings, &mut notes)?,
        Format::Numpy => (numpy::read(&content, settings, &mut notes)?, Vec::new()),
        Format::Idx => (idx_files::read(&content, settings, &mut notes)?, Vec::new()),
        Format::Cifar => (cifar_files::read(&content, settings, &mut notes)?, Vec::new()),
    };
    if let (Some(first), OnBroken::Stop) = (broken.first(), settings.broken) {
        return Err(DataError::Broken { first: first.to_string(), count: broken.len() });
    }
    let format = content.format()?.name();
    let (dataset, scaled_by_content) = assemble::dataset(path, parts, settings, &mut notes)?;
    Ok(Found { dataset, format, notes, scaled_by_content, broken })
}
