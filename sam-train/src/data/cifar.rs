//! The binary version of CIFAR-10 and CIFAR-100: records of label bytes and a 32×32 image in three planes.

use std::path::Path;

use super::{DataError, file::Content};

/// Height and width of the images in pixels.
pub const SIDE: usize = 32;
/// Red, green and blue.
pub const CHANNELS: usize = 3;
const PLANE: usize = SIDE * SIDE;
const IMAGE: usize = PLANE * CHANNELS;

/// Which of the two record layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CifarKind {
    /// One label byte of 10 classes.
    Ten,
    /// A coarse label byte, which is skipped, and a fine one of 100 classes.
    Hundred,
    /// The same records by their coarse labels, of 20 classes.
    HundredCoarse,
}

impl CifarKind {
    /// The number of classes.
    pub fn classes(self) -> usize {
        match self {
            Self::Ten => 10,
            Self::Hundred => 100,
            Self::HundredCoarse => 20,
        }
    }

    /// The data set and its labels for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ten => "CIFAR-10's",
            Self::Hundred => "CIFAR-100's, with its fine labels",
            Self::HundredCoarse => "CIFAR-100's, with its coarse labels",
        }
    }

    /// Which of the label bytes is the label.
    fn label(self) -> usize {
        match self {
            Self::Ten | Self::HundredCoarse => 0,
            Self::Hundred => 1,
        }
    }

    /// Label bytes before each image.
    fn label_bytes(self) -> usize {
        match self {
            Self::Ten => 1,
            Self::Hundred | Self::HundredCoarse => 2,
        }
    }
}

/// Images and labels of one or more files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CifarImages {
    /// 32 * 32 * 3 bytes an image: row by row, and in a pixel red, green, blue (NHWC).
    pub pixels: Vec<u8>,
    /// A label for each image.
    pub labels: Vec<u16>,
}

impl CifarImages {
    /// Reads the file `path` of exactly `records` images and appends them; a name in `.gz` is unpacked.
    ///
    /// # Errors
    /// [`DataError`], when the file cannot be read, has another length, or a label is too large.
    pub fn append(&mut self, path: &Path, kind: CifarKind, records: usize) -> Result<(), DataError> {
        self.append_content(Content::open(path)?, kind, records)
    }

    /// Appends from bytes in memory; `path` says what they are in errors and whether they are gzipped.
    ///
    /// # Errors
    /// As [`CifarImages::append`].
    pub fn append_bytes(
        &mut self,
        path: &Path,
        bytes: &[u8],
        kind: CifarKind,
        records: usize,
    ) -> Result<(), DataError> {
        self.append_content(Content::of_bytes(path, bytes)?, kind, records)
    }

    fn append_content(
        &mut self,
        mut content: Content<'_>,
        kind: CifarKind,
        records: usize,
    ) -> Result<(), DataError> {
        let path = content.path().to_owned();
        let bytes = content.exactly((records * (kind.label_bytes() + IMAGE)) as u64)?;
        content.finish()?;
        self.append_records(&path, &bytes, kind)
    }

    /// Reads the file `path` of any number of images and appends them. Whether it is of CIFAR-10 or of CIFAR-100 its length
    /// says; which labels of the latter are taken, `hundred` does. Returns what it is.
    ///
    /// # Errors
    /// [`DataError`], when the file cannot be read, its length is that of neither (or of both), or a label is too large.
    pub fn append_all(&mut self, path: &Path, hundred: CifarKind) -> Result<CifarKind, DataError> {
        self.append_all_of(Content::open(path)?, hundred)
    }

    /// As [`CifarImages::append_all`] from bytes in memory.
    ///
    /// # Errors
    /// As [`CifarImages::append_all`].
    pub fn append_all_bytes(
        &mut self,
        path: &Path,
        bytes: &[u8],
        hundred: CifarKind,
    ) -> Result<CifarKind, DataError> {
        self.append_all_of(Content::of_bytes(path, bytes)?, hundred)
    }

    fn append_all_of(&mut self, content: Content<'_>, hundred: CifarKind) -> Result<CifarKind, DataError> {
        let path = content.path().to_owned();
        let bytes = content.rest()?;
        let whole = |kind: CifarKind| bytes.len().is_multiple_of(kind.label_bytes() + IMAGE);
        let kind = match (bytes.is_empty(), whole(CifarKind::Ten), whole(hundred)) {
            (false, true, false) => CifarKind::Ten,
            (false, false, true) => hundred,
            _ => {
                return Err(DataError::Unusable {
                    path,
                    expected: "records of 3073 bytes (CIFAR-10) or 3074 (CIFAR-100)".into(),
                    found: format!("{} bytes", bytes.len()),
                    advice: "unpack the binary version again".into(),
                });
            }
        };
        self.append_records(&path, &bytes, kind)?;
        Ok(kind)
    }

    fn append_records(&mut self, path: &Path, bytes: &[u8], kind: CifarKind) -> Result<(), DataError> {
        let record = kind.label_bytes() + IMAGE;
        let labels = bytes.chunks_exact(record).map(|r| u16::from(r[kind.label()])).collect();
        self.labels.extend(super::checked_labels(path, labels, kind.classes())?);
        self.pixels.reserve(bytes.len());
        for record in bytes.chunks_exact(record) {
            let planes = &record[kind.label_bytes()..];
            self.pixels.extend((0..IMAGE).map(|i| planes[i % CHANNELS * PLANE + i / CHANNELS]));
        }
        Ok(())
    }
}
