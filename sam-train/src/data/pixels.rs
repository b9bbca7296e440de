//! The bytes of images, in memory or left in their file.

use std::{
    borrow::Cow,
    fs::File,
    io::{ErrorKind, Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{DataError, Pictures};
use crate::files;

/// Bytes of images of one size, image by image.
///
/// Larger files that are not packed stay where they are, and images are read as they are needed: a training set may
/// be larger than the memory. Copies share the bytes, or one open file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pixels {
    /// In memory.
    Memory(Arc<Vec<u8>>),
    /// A part of a file.
    File(FilePart),
    /// The centres of pictures in their files.
    Pictures(Pictures),
}

/// A part of an open file.
#[derive(Debug, Clone)]
pub struct FilePart {
    path: PathBuf,
    file: Arc<Mutex<File>>,
    range: Range<u64>,
}

impl Pixels {
    /// The bytes from `offset` on of the file `path`, which has exactly `len` of them there.
    ///
    /// # Errors
    /// [`DataError`], when the file cannot be opened or is shorter or longer.
    pub fn in_file(path: &Path, offset: u64, len: u64) -> Result<Self, DataError> {
        let failed = |source| DataError::Read { path: path.to_owned(), source };
        let file = files::open(path).map_err(failed)?;
        let (found, expected) = (file.metadata().map_err(failed)?.len(), offset + len);
        match found {
            _ if found < expected => Err(DataError::Truncated { path: path.to_owned(), expected, found }),
            _ if found > expected => Err(DataError::TooLong { path: path.to_owned(), expected }),
            _ => Ok(Self::File(FilePart {
                path: path.to_owned(),
                file: Arc::new(Mutex::new(file)),
                range: offset..expected,
            })),
        }
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File(part) => (part.range.end - part.range.start) as usize,
            Self::Pictures(pictures) => pictures.count() * pictures.shape().len(),
        }
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all but the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        match self {
            Self::Memory(bytes) => Arc::make_mut(bytes).truncate(len),
            Self::File(part) => part.range.end = part.range.end.min(part.range.start + len as u64),
            Self::Pictures(pictures) => {
                *pictures = pictures.chosen(0..(len / pictures.shape().len()).min(pictures.count()));
            }
        }
    }

    /// The bytes in `range`; those of a file are read into `buffer`.
    ///
    /// # Errors
    /// [`DataError`], when the file cannot be read, or has become shorter.
    ///
    /// # Panics
    /// If there are not so many bytes, or for pictures if the range cuts one.
    pub fn get<'a>(&'a self, range: Range<usize>, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], DataError> {
        match self {
            Self::Memory(bytes) => Ok(&bytes[range]),
            Self::File(part) => {
                assert!(range.end <= self.len(), "{range:?} of {} bytes", self.len());
                buffer.resize(range.len(), 0);
                part.read(range.start as u64, buffer)?;
                Ok(buffer)
            }
            Self::Pictures(pictures) => {
                let size = pictures.shape().len();
                assert!(range.start.is_multiple_of(size) && range.end.is_multiple_of(size), "{range:?}");
                buffer.resize(range.len(), 0);
                pictures.centres(range.start / size..range.end / size, buffer)?;
                Ok(buffer)
            }
        }
    }

    /// Calls `visit` with `len` bytes at a time, in order; the last may be fewer. Of pictures they are whole ones.
    ///
    /// # Errors
    /// As [`Pixels::get`], and the first of `visit`.
    pub fn chunks<E: From<DataError>>(
        &self,
        len: usize,
        mut visit: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut buffer = Vec::new();
        let whole = match self {
            Self::Memory(_) | Self::File(_) => 1,
            Self::Pictures(pictures) => pictures.shape().len(),
        };
        let len = len.next_multiple_of(whole);
        for start in (0..self.len()).step_by(len.max(1)) {
            visit(self.get(start..self.len().min(start + len), &mut buffer)?)?;
        }
        Ok(())
    }

    /// All bytes.
    ///
    /// # Errors
    /// As [`Pixels::get`].
    pub fn all(&self) -> Result<Cow<'_, [u8]>, DataError> {
        match self {
            Self::Memory(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::File(part) => {
                let mut bytes = vec![0; self.len()];
                part.read(0, &mut bytes)?;
                Ok(Cow::Owned(bytes))
            }
            Self::Pictures(_) => {
                let mut bytes = Vec::new();
                self.get(0..self.len(), &mut bytes)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }
}

impl From<Vec<u8>> for Pixels {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(Arc::new(bytes))
    }
}

impl FilePart {
    fn read(&self, start: u64, into: &mut [u8]) -> Result<(), DataError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.range.start + start;
        let outcome = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(into));
        outcome.map_err(|source| {
            let path = self.path.clone();
            match (source.kind(), file.metadata()) {
                (ErrorKind::UnexpectedEof, Ok(metadata)) => {
                    DataError::Truncated { path, expected: self.range.end, found: metadata.len() }
                }
                _ => DataError::Read { path, source },
            }
        })
    }
}

impl PartialEq for FilePart {
    /// By name and place: contents are not compared.
    fn eq(&self, other: &Self) -> bool {
        (&self.path, &self.range) == (&other.path, &other.range)
    }
}

impl Eq for FilePart {}
