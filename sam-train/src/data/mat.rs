//! SVHN's files: images `X` and labels `y` in MATLAB's format of level 5, packed or not.

use std::{
    io::{self, BufRead, BufReader, ErrorKind, Read},
    path::Path,
};

use flate2::bufread::ZlibDecoder;

use super::{
    DataError,
    file::{Content, failure},
    unpacking::{Bounded, Counted, UnpackLimit},
};

/// Height and width of the images in pixels.
pub const SIDE: usize = 32;
/// Red, green and blue.
pub const CHANNELS: usize = 3;
/// The digits.
pub const CLASSES: usize = 10;
const PLANE: usize = SIDE * SIDE;
const IMAGE: usize = PLANE * CHANNELS;

/// Images and labels of one or more files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatImages {
    /// 32 * 32 * 3 bytes an image: row by row, and in a pixel red, green, blue (NHWC).
    pub pixels: Vec<u8>,
    /// The digit of each image: the files' label 10 is that of 0.
    pub labels: Vec<u16>,
}

impl MatImages {
    /// Reads the file `path` of any number of images and appends them. Memory grows with what is there, not with what
    /// the file claims.
    ///
    /// # Errors
    /// [`DataError`], when the file cannot be read, is another one, or has not a label for each image.
    pub fn append(&mut self, path: &Path) -> Result<(), DataError> {
        self.append_content(Content::open(path)?)
    }

    /// Appends from bytes in memory; `path` says what they are in errors.
    ///
    /// # Errors
    /// As [`MatImages::append`].
    pub fn append_bytes(&mut self, path: &Path, bytes: &[u8]) -> Result<(), DataError> {
        self.append_content(Content::of_bytes(path, bytes)?)
    }

    fn append_content(&mut self, content: Content<'_>) -> Result<(), DataError> {
        let path = content.path().to_owned();
        let mut file = File { path: &path, found: Found::default() };
        let mut stream = BufReader::with_capacity(1 << 16, content.into_reader());
        file.read(&mut stream)?;
        let (pixels, labels) = match (file.found.pixels, file.found.labels) {
            (Some(pixels), Some(labels)) => (pixels, labels),
            (pixels, _) => {
                let missing = if pixels.is_none() { "no X" } else { "no y" };
                return Err(unusable(&path, "the arrays X (images) and y (labels)", missing));
            }
        };
        if pixels.len() != labels.len() * IMAGE {
            let expected = format!("a label for each of {} images", pixels.len() / IMAGE);
            return Err(unusable(&path, expected, format!("{} labels", labels.len())));
        }
        if self.pixels.is_empty() {
            self.pixels = pixels;
        } else {
            self.pixels.extend_from_slice(&pixels);
        }
        self.labels.extend(labels);
        Ok(())
    }
}

/// The types that elements have.
mod kind {
    pub const INT8: u32 = 1;
    pub const UINT8: u32 = 2;
    pub const INT16: u32 = 3;
    pub const UINT16: u32 = 4;
    pub const INT32: u32 = 5;
    pub const UINT32: u32 = 6;
    pub const SINGLE: u32 = 7;
    pub const DOUBLE: u32 = 9;
    pub const MATRIX: u32 = 14;
    pub const COMPRESSED: u32 = 15;
}

/// The class of arrays of bytes.
const BYTES: u8 = 9;

/// A file that is being read.
struct File<'a> {
    path: &'a Path,
    found: Found,
}

#[derive(Default)]
struct Found {
    /// Of `X`, image by image (NHWC).
    pixels: Option<Vec<u8>>,
    /// Of `y`, as digits.
    labels: Option<Vec<u16>>,
}

/// What stands before the data of an element.
struct Tag {
    kind: u32,
    bytes: u32,
    /// The data, where there is so little that it is part of the tag.
    within: Option<[u8; 4]>,
}

impl File<'_> {
    fn read(&mut self, stream: &mut impl BufRead) -> Result<(), DataError> {
        let mut header = [0; 128];
        let expected = "a MATLAB file of level 5 (bytes 125 to 128: 00 01 49 4d)";
        if !self.fill(stream, &mut header)? || header[124..] != *b"\x00\x01IM" {
            let found = match (&header[..10], &header[124..]) {
                (b"MATLAB 7.3", _) => "one of version 7.3, which is HDF5; save it with -v7".to_owned(),
                (_, b"\x01\x00MI") => "one written on a machine of the other order of bytes".to_owned(),
                (_, end) => end.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "),
            };
            return Err(unusable(self.path, expected, found));
        }
        while let Some(tag) = self.tag(stream)? {
            let mut element = stream.by_ref().take(tag.bytes.into());
            match tag.kind {
                _ if tag.within.is_some() => {}
                kind::MATRIX => self.matrix(&mut element)?,
                kind::COMPRESSED => {
                    let (packed, taken) = Counted::new(element);
                    let inflater = ZlibDecoder::new(packed);
                    let mut inflater = Bounded::new(inflater, taken, UnpackLimit::default());
                    let inner = self.tag(&mut inflater)?;
                    let inner = inner.filter(|inner| inner.kind == kind::MATRIX && inner.within.is_none());
                    let inner = inner.ok_or_else(|| self.unusable("a packed array", "something else"))?;
                    self.matrix(&mut inflater.by_ref().take(inner.bytes.into()))?;
                    // To the end, where the checksum is.
                    self.skip(&mut inflater)?;
                    element = inflater.into_inner().into_inner().into_inner();
                }
                _ => {}
            }
            self.skip(&mut element)?;
            let missing = element.limit();
            if missing > 0 {
                return Err(self.truncated());
            }
            if tag.kind != kind::COMPRESSED {
                self.padding(stream, tag.bytes)?;
            }
        }
        Ok(())
    }

    /// An array: what it is, then its values.
    fn matrix(&mut self, stream: &mut impl Read) -> Result<(), DataError> {
        let flags = self.small(stream, kind::UINT32, 8, "the flags of an array")?;
        let dims = self.small(stream, kind::INT32, 32, "up to 8 dimensions")?;
        let dims: Vec<i32> = dims.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect();
        let name = self.small(stream, kind::INT8, 64, "a name of up to 64 letters")?;
        let class = flags.first().copied().unwrap_or(0);
        match name.as_slice() {
            b"X" => self.images(stream, class, &dims),
            b"y" => self.labels(stream, &dims),
            _ => Ok(()),
        }
    }

    /// `X`: for each image its planes, each column by column.
    fn images(&mut self, stream: &mut impl Read, class: u8, dims: &[i32]) -> Result<(), DataError> {
        let count = match *dims {
            [32, 32, 3, count] if class == BYTES => count,
            // MATLAB leaves out a last dimension of 1.
            [32, 32, 3] if class == BYTES => 1,
            _ => {
                let found = format!("an array of class {class} and dimensions {dims:?}");
                return Err(self.unusable("X of bytes (class 9) and dimensions [32, 32, 3, N]", found));
            }
        };
        let count =
            usize::try_from(count).map_err(|_| self.unusable("a number of images", count.to_string()))?;
        self.values(stream, kind::UINT8, count as u64 * IMAGE as u64)?;
        let mut pixels = Vec::new();
        let mut image = [0; IMAGE];
        for _ in 0..count {
            if !self.fill(stream, &mut image)? {
                return Err(self.truncated());
            }
            pixels.extend((0..IMAGE).map(|to| {
                let (row, column, channel) = (to / CHANNELS / SIDE, to / CHANNELS % SIDE, to % CHANNELS);
                image[row + SIDE * column + PLANE * channel]
            }));
        }
        self.found.pixels = Some(pixels);
        Ok(())
    }

    /// `y`: 1 to 10, in whatever type MATLAB has found short.
    fn labels(&mut self, stream: &mut impl Read, dims: &[i32]) -> Result<(), DataError> {
        let count = match *dims {
            [count, 1] | [1, count] => usize::try_from(count).ok(),
            _ => None,
        };
        let count = count.ok_or_else(|| self.unusable("y of dimensions [N, 1]", format!("{dims:?}")))?;
        let tag = self.tag(stream)?.ok_or_else(|| self.truncated())?;
        let width = match tag.kind {
            kind::INT8 | kind::UINT8 => 1,
            kind::INT16 | kind::UINT16 => 2,
            kind::INT32 | kind::UINT32 | kind::SINGLE => 4,
            kind::DOUBLE => 8,
            other => return Err(self.unusable("labels in numbers", format!("the type {other}"))),
        };
        if u64::from(tag.bytes) != count as u64 * width as u64 {
            let found = format!("{} bytes", tag.bytes);
            return Err(self.unusable(format!("{count} labels of {width} bytes"), found));
        }
        let mut bytes = Vec::new();
        match tag.within {
            Some(within) => bytes.extend_from_slice(&within[..tag.bytes as usize]),
            None => {
                let read = stream.take(tag.bytes.into()).read_to_end(&mut bytes);
                read.map_err(|error| failure(self.path, error))?;
            }
        }
        if bytes.len() != tag.bytes as usize {
            return Err(self.truncated());
        }
        let labels = bytes.chunks_exact(width).enumerate().map(|(position, bytes)| {
            let number = number(tag.kind, bytes);
            if (1.0..=10.0).contains(&number) && number.fract() == 0.0 {
                Ok(number as u16 % 10)
            } else {
                Err(self.unusable("labels of 1 to 10", format!("{number} at position {position}")))
            }
        });
        self.found.labels = Some(labels.collect::<Result<_, _>>()?);
        Ok(())
    }

    /// The tag of `bytes` values of a type.
    fn values(&self, stream: &mut impl Read, kind: u32, bytes: u64) -> Result<(), DataError> {
        match self.tag(stream)? {
            Some(tag) if tag.kind == kind && tag.within.is_none() && u64::from(tag.bytes) == bytes => Ok(()),
            Some(tag) => {
                let found = format!("{} of the type {}", tag.bytes, tag.kind);
                Err(self.unusable(format!("{bytes} bytes of the type {kind}"), found))
            }
            None => Err(self.truncated()),
        }
    }

    /// The data of a short element and its padding.
    fn small(&self, stream: &mut impl Read, kind: u32, most: u32, what: &str) -> Result<Vec<u8>, DataError> {
        let tag = self.tag(stream)?.ok_or_else(|| self.truncated())?;
        if tag.kind != kind || tag.bytes > most {
            return Err(self.unusable(what, format!("{} bytes of the type {}", tag.bytes, tag.kind)));
        }
        if let Some(within) = tag.within {
            return Ok(within[..tag.bytes as usize].to_vec());
        }
        let mut data = vec![0; tag.bytes as usize];
        if !self.fill(stream, &mut data)? {
            return Err(self.truncated());
        }
        self.padding(stream, tag.bytes)?;
        Ok(data)
    }

    /// The next tag, unless the stream ends.
    fn tag(&self, stream: &mut impl Read) -> Result<Option<Tag>, DataError> {
        let mut words = [[0; 4]; 2];
        if !self.fill(stream, words.as_flattened_mut())? {
            return Ok(None);
        }
        let (first, second) = (u32::from_le_bytes(words[0]), u32::from_le_bytes(words[1]));
        Ok(Some(match first >> 16 {
            0 => Tag { kind: first, bytes: second, within: None },
            bytes @ 1..=4 => Tag { kind: first & 0xffff, bytes, within: Some(words[1]) },
            bytes => return Err(self.unusable("at most 4 bytes in a tag", bytes.to_string())),
        }))
    }

    /// Data ends at a multiple of 8 bytes. At the end of a file that may be left out.
    fn padding(&self, stream: &mut impl Read, bytes: u32) -> Result<(), DataError> {
        self.skip(&mut stream.take(u64::from(bytes.wrapping_neg() % 8)))
    }

    fn skip(&self, stream: &mut impl Read) -> Result<(), DataError> {
        io::copy(stream, &mut io::sink()).map(drop).map_err(|error| failure(self.path, error))
    }

    /// Whether the stream had as many bytes.
    fn fill(&self, stream: &mut impl Read, into: &mut [u8]) -> Result<bool, DataError> {
        match stream.read_exact(into) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(failure(self.path, error)),
        }
    }

    fn truncated(&self) -> DataError {
        self.unusable("data to the end that the file announces", "its end before")
    }

    fn unusable(&self, expected: impl Into<Box<str>>, found: impl Into<String>) -> DataError {
        unusable(self.path, expected, found)
    }
}

/// The number of `kind` that these bytes are.
fn number(kind: u32, bytes: &[u8]) -> f64 {
    let mut eight = [0; 8];
    eight[..bytes.len()].copy_from_slice(bytes);
    let [low, ..] = eight;
    let word = u32::from_le_bytes([eight[0], eight[1], eight[2], eight[3]]);
    match kind {
        kind::INT8 => f64::from(low as i8),
        kind::INT16 => f64::from(word as i16),
        kind::INT32 => f64::from(word as i32),
        kind::SINGLE => f64::from(f32::from_bits(word)),
        kind::DOUBLE => f64::from_le_bytes(eight),
        _ => f64::from(word),
    }
}

fn unusable(path: &Path, expected: impl Into<Box<str>>, found: impl Into<String>) -> DataError {
    DataError::Unusable {
        path: path.to_owned(),
        expected: expected.into(),
        found: found.into(),
        advice: "download it again from http://ufldl.stanford.edu/housenumbers".into(),
    }
}
