//! How data of one's own is read: what a user may say.

use std::{fmt, path::Path, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{data::UnpackLimit, named::named};

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

    /// How far packed files may unpack.
    pub(crate) fn unpacking(&self) -> UnpackLimit {
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
