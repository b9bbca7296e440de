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
}

impl CifarKind {
    /// The number of classes.
    pub fn classes(self) -> usize {
        match self {
            Self::Ten => 10,
            Self::Hundred => 100,
        }
    }

    /// Label bytes before each image.
    fn label_bytes(self) -> usize {
        match self {
            Self::Ten => 1,
            Self::Hundred => 2,
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
        let record = kind.label_bytes() + IMAGE;
        let bytes = content.exactly((records * record) as u64)?;
        content.finish()?;
        let labels = bytes.chunks_exact(record).map(|r| u16::from(r[kind.label_bytes() - 1])).collect();
        self.labels.extend(super::checked_labels(&path, labels, kind.classes())?);
        self.pixels.reserve(records * IMAGE);
        for record in bytes.chunks_exact(record) {
            let planes = &record[kind.label_bytes()..];
            self.pixels.extend((0..IMAGE).map(|i| planes[i % CHANNELS * PLANE + i / CHANNELS]));
        }
        Ok(())
    }
}
