//! Opens a file that may be gzipped and reads an exact number of bytes of it.

use std::{
    io::{self, BufRead, BufReader, Cursor, ErrorKind, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::GzDecoder;

use super::{
    DataError,
    unpacking::{Bounded, Counted, Expanded, UnpackLimit},
};
use crate::files;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// What every IDX file begins with.
const IDX_START: [u8; 2] = [0, 0];

/// A stream of a file's content, unpacked where it begins as gzip does, that knows how far it has come.
pub(super) struct Content<'a> {
    path: PathBuf,
    reader: Box<dyn Read + 'a>,
    consumed: u64,
    packed: bool,
}

impl<'a> Content<'a> {
    /// Opens a file on disk, which unpacks to what is plausible at most.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        Self::open_within(path, UnpackLimit::default())
    }

    /// Opens a file on disk, which unpacks to `limit` at most.
    pub fn open_within(path: &Path, limit: UnpackLimit) -> Result<Self, DataError> {
        let read_error = |source| DataError::Read { path: path.to_owned(), source };
        let file = files::open(path).map_err(read_error)?;
        Self::of_stream(path, BufReader::with_capacity(1 << 16, file), limit)
    }

    /// Reads bytes in memory as if they were the file `path`.
    pub fn of_bytes(path: &Path, bytes: &'a [u8]) -> Result<Self, DataError> {
        Self::of_stream(path, bytes, UnpackLimit::default())
    }

    fn of_stream(path: &Path, mut stream: impl BufRead + 'a, limit: UnpackLimit) -> Result<Self, DataError> {
        let path = path.to_owned();
        let mut first = Vec::with_capacity(2);
        if let Err(source) = (&mut stream).take(2).read_to_end(&mut first) {
            return Err(DataError::Read { path, source });
        }
        // The bytes decide: files are renamed, and downloads unpacked on their way. No format here begins like gzip.
        let packed = first == GZIP_MAGIC;
        let named_packed = path.extension().is_some_and(|extension| extension == "gz");
        if named_packed && !packed && !first.starts_with(&IDX_START) {
            let found: Vec<_> = first.iter().map(|byte| format!("{byte:02x}")).collect();
            let found = if found.is_empty() { "an empty file".to_owned() } else { found.join(" ") };
            return Err(DataError::NotGzip { path, found });
        }
        let whole = Cursor::new(first).chain(stream);
        let reader: Box<dyn Read + 'a> = if packed {
            let (whole, taken) = Counted::new(whole);
            Box::new(Bounded::new(Members::new(whole), taken, limit))
        } else {
            Box::new(whole)
        };
        Ok(Self { path, reader, consumed: 0, packed })
    }

    /// Where the content comes from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file holds other bytes than its content.
    pub fn is_packed(&self) -> bool {
        self.packed
    }

    /// Bytes of the content read so far.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The next `count` bytes. Memory grows with what is there, not with what `count` claims.
    pub fn exactly(&mut self, count: u64) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let outcome = (&mut self.reader).take(count).read_to_end(&mut bytes);
        let before = self.consumed;
        self.consumed += bytes.len() as u64;
        match outcome {
            Ok(_) if bytes.len() as u64 == count => Ok(bytes),
            Ok(_) => Err(self.truncated(before + count)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(self.truncated(before + count)),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Everything that follows what has been read.
    pub fn rest(mut self) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        match self.reader.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Makes sure that nothing follows what has been read.
    pub fn finish(mut self) -> Result<(), DataError> {
        let mut byte = [0];
        match self.reader.read(&mut byte) {
            Ok(0) => Ok(()),
            Ok(_) => Err(DataError::TooLong { expected: self.consumed, path: self.path }),
            // All data is there, but the trailer with its checksum is not.
            Err(error) => Err(self.failed(error)),
        }
    }

    fn truncated(&self, expected: u64) -> DataError {
        DataError::Truncated { path: self.path.clone(), expected, found: self.consumed }
    }

    /// What follows, as a stream.
    pub fn into_reader(self) -> Box<dyn Read + 'a> {
        self.reader
    }

    fn failed(&self, source: io::Error) -> DataError {
        failure(&self.path, source)
    }
}

/// What it means that the content of the file `path` cannot be read.
pub(super) fn failure(path: &Path, source: io::Error) -> DataError {
    let path = path.to_owned();
    if let Some(&expanded) = source.get_ref().and_then(|source| source.downcast_ref::<Expanded>()) {
        return DataError::Expands { path, expanded };
    }
    match source.kind() {
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => {
            DataError::Corrupt { path, source }
        }
        _ => DataError::Read { path, source },
    }
}

/// The members of a gzip file one after another. Zeros behind one are padding, which tapes and downloads add and `gzip` takes
/// no offence at.
struct Members<R> {
    decoder: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    fn new(stream: R) -> Self {
        Self { decoder: Some(GzDecoder::new(stream)) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let count = decoder.read(into)?;
            if count > 0 || into.is_empty() {
                return Ok(count);
            }
            self.decoder = self.decoder.take().map(GzDecoder::into_inner).map_or(Ok(None), next_member)?;
        }
        Ok(0)
    }
}

/// The member that follows in the stream, if one does.
fn next_member<R: BufRead>(mut stream: R) -> io::Result<Option<GzDecoder<R>>> {
    loop {
        let bytes = stream.fill_buf()?;
        let (count, zeros) = (bytes.len(), bytes.iter().take_while(|&&byte| byte == 0).count());
        stream.consume(zeros);
        match count {
            0 => return Ok(None),
            _ if zeros < count => return Ok(Some(GzDecoder::new(stream))),
            _ => {}
        }
    }
}
