//! Data of one's own: a folder or a file is looked at, read by the reader of its format, and made into one data set.

mod arrays;
mod assemble;
mod cifar_files;
mod directory;
mod idx_files;
mod numpy;
pub(super) mod picture;
mod pictures;
mod rows;
mod splits;

use std::{
    fmt,
    io::{BufRead, Seek},
    path::{Path, PathBuf},
    str::FromStr,
};

use sam_model::ImageShape;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{DataError, Dataset, UnpackLimit, views::View};
use crate::named::named;
use directory::{Content, Format};

pub(super) use arrays::{Array, Numbers};
pub use numpy::{labels as read_labels, parse as parse_numpy};
pub use picture::decode as decode_picture;
pub use rows::parse as parse_rows;

/// The share of the images that is held out for testing where the files name no test set and nothing is said.
pub const TEST_SHARE: f64 = 0.2;

/// How files of one's own are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FileSettings {
    /// What the data set is called in titles: the name of its folder or file.
    pub title: String,
    /// The size that pictures are brought to, and that rows of numbers are taken for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<PixelSize>,
    /// How pictures are brought to that size.
    #[serde(default, skip_serializing_if = "Fit::is_cover")]
    pub fit: Fit,
    /// Whether colours become grey.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub grey: bool,
    /// The column of the labels of a table, by its name or its number from 1; of CIFAR-100's files `coarse` or `fine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The share of the images, the same of each class, that is held out for testing where the files name no test set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_share: Option<f64>,
    /// What is done about a file or a row that cannot be read.
    #[serde(default)]
    pub broken: OnBroken,
    /// Bytes that a packed file may unpack to, in MiB; as many as is plausible where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpack_limit: Option<u32>,
}

impl FileSettings {
    /// Everything as where nothing is said, for the folder or file at `path`.
    pub fn of(path: &Path) -> Self {
        // `.` and `..` have no name of their own.
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let title =
            whole.file_name().map_or_else(|| "files".into(), |name| name.to_string_lossy().into_owned());
        Self {
            title,
            size: None,
            fit: Fit::Cover,
            grey: false,
            label: None,
            test_share: None,
            broken: OnBroken::Stop,
            unpack_limit: None,
        }
    }
}

impl FileSettings {
    /// How far packed files may unpack.
    pub(super) fn unpacking(&self) -> UnpackLimit {
        UnpackLimit { bytes: self.unpack_limit.map(|limit| u64::from(limit) << 20) }
    }
}

/// How pictures of other sizes are brought to one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Scaled by area until they cover it, and cut evenly; all of them are kept in memory.
    #[default]
    Cover,
    /// As in ImageNet's usual preprocessing: of a square of n pixels the share n / (n + 32) of the middle, by bicubic interpolation.
    /// They are left in their files, and decoded whenever they are needed.
    Centre,
}

named!(Fit, "expected cover or centre", Cover = "cover", Centre = "centre");

impl Fit {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_cover(&self) -> bool {
        *self == Self::Cover
    }
}

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

/// What is done about a file or a row that cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnBroken {
    /// Nothing is read.
    #[default]
    Stop,
    /// It is left out, and counted.
    Skip,
}

named!(OnBroken, "expected stop or skip", Stop = "stop", Skip = "skip");

/// Height and width in pixels, as text `HxW`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PixelSize {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl PixelSize {
    /// The longest side that pictures may be brought to.
    const LONGEST: usize = 4096;
}

impl FromStr for PixelSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let side = |text: &str| text.parse().ok().filter(|side| (1..=Self::LONGEST).contains(side));
        let sides = text.split_once('x').and_then(|(height, width)| Some((side(height)?, side(width)?)));
        let (height, width) = sides.ok_or_else(|| {
            format!("expected HEIGHTxWIDTH of 1 to {} pixels, such as 32x32", Self::LONGEST)
        })?;
        Ok(Self { height, width })
    }
}

impl fmt::Display for PixelSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

impl Serialize for PixelSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PixelSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A file, or a row of one, that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The file.
    pub path: PathBuf,
    /// The row, from 1, where the file has rows.
    pub line: Option<u64>,
    /// What was expected and found.
    pub reason: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ", line {line}"))?;
        write!(f, ": {}", self.reason)
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

/// Reads the folder or file at `path`: class folders of PNG and JPEG pictures, CSV with a column of labels, `.npy` and
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
