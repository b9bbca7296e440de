//! The IDX format of the MNIST family: images and labels as arrays of unsigned bytes.
//!
//! A file is a magic number `0x000008RR` (`08`: unsigned bytes, `RR`: the number of dimensions), `RR` big-endian
//! 32-bit dimensions and the values, the last dimension running fastest.

use std::path::Path;

use super::{
    DataError, Pixels,
    file::Content,
    own::{Array, Numbers},
    unpacking::UnpackLimit,
};

/// The most values accepted in one file (64 GiB): a header that claims more is damaged.
const MOST_VALUES: u64 = 1 << 36;
/// Images of more bytes stay in their file, unless it is packed (256 MiB).
const MOST_IN_MEMORY: u64 = 1 << 28;

/// Images of one channel, all of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdxImages {
    /// The number of images.
    pub count: usize,
    /// Rows of an image, in pixels.
    pub height: usize,
    /// Columns of an image, in pixels.
    pub width: usize,
    /// `count * height * width` grey values, image by image, row by row.
    pub pixels: Pixels,
}

/// Reads the images of the file `path`, which is unpacked if it is gzipped. More than 256 MiB that are not packed stay in the
/// file.
///
/// # Errors
/// [`DataError`], when the file cannot be read or is no complete IDX file of three dimensions.
pub fn read_images(path: &Path) -> Result<IdxImages, DataError> {
    let mut content = Content::open(path)?;
    let header = header(&mut content, IMAGES)?;
    let values = header.values;
    if values <= MOST_IN_MEMORY || content.is_packed() {
        return images(content, header);
    }
    Ok(images_of(header, Pixels::in_file(path, content.consumed(), values)?))
}

/// Reads images from bytes in memory; `path` says what they are in errors.
///
/// # Errors
/// As [`read_images`].
pub fn parse_images(path: &Path, bytes: &[u8]) -> Result<IdxImages, DataError> {
    let mut content = Content::of_bytes(path, bytes)?;
    let header = header(&mut content, IMAGES)?;
    images(content, header)
}

/// Reads the labels of the file `path`, each below `classes`, which is unpacked if it is gzipped.
///
/// # Errors
/// [`DataError`], when the file cannot be read, is no complete IDX file of one dimension, or a label is too large.
pub fn read_labels(path: &Path, classes: usize) -> Result<Vec<u16>, DataError> {
    labels(Content::open(path)?, classes)
}

/// Reads labels from bytes in memory; `path` says what they are in errors.
///
/// # Errors
/// As [`read_labels`].
pub fn parse_labels(path: &Path, bytes: &[u8], classes: usize) -> Result<Vec<u16>, DataError> {
    labels(Content::of_bytes(path, bytes)?, classes)
}

/// What the header of an array of `RANK` dimensions says; none of them is 0.
struct Header<const RANK: usize> {
    dims: [usize; RANK],
    values: u64,
}

const IMAGES: &str = "images: bytes in 3 dimensions";

fn images(content: Content<'_>, header: Header<3>) -> Result<IdxImages, DataError> {
    let pixels = values(content, &header)?;
    Ok(images_of(header, pixels.into()))
}

fn images_of(header: Header<3>, pixels: Pixels) -> IdxImages {
    let [count, height, width] = header.dims;
    IdxImages { count, height, width, pixels }
}

fn labels(mut content: Content<'_>, classes: usize) -> Result<Vec<u16>, DataError> {
    let path = content.path().to_owned();
    let header: Header<1> = header(&mut content, "labels: bytes in 1 dimension")?;
    let bytes = values(content, &header)?;
    super::checked_labels(&path, bytes.into_iter().map(u16::from).collect(), classes)
}

fn header<const RANK: usize>(
    content: &mut Content<'_>,
    meaning: &'static str,
) -> Result<Header<RANK>, DataError> {
    let path = content.path().to_owned();
    let expected = 0x0800 + RANK as u32;
    let found = big_endian(&content.exactly(4)?);
    if found != expected {
        return Err(DataError::Magic { path, expected, meaning, found });
    }
    let header = content.exactly(4 * RANK as u64)?;
    let dims: Vec<u32> = header.chunks_exact(4).map(big_endian).collect();
    let values = dims.iter().try_fold(1_u64, |product, &dim| product.checked_mul(dim.into()));
    match values.filter(|values| (1..=MOST_VALUES).contains(values)) {
        Some(values) => Ok(Header { dims: std::array::from_fn(|axis| dims[axis] as usize), values }),
        None => Err(DataError::Dimensions { path, dims, limit: MOST_VALUES }),
    }
}

/// The values behind a header, which end the file.
fn values<const RANK: usize>(mut content: Content<'_>, header: &Header<RANK>) -> Result<Vec<u8>, DataError> {
    let data = content.exactly(header.values)?;
    content.finish()?;
    Ok(data)
}

/// Reads the array of the file `path`, of any type and up to four dimensions, which is unpacked if it is gzipped, to
/// `limit` at most.
///
/// # Errors
/// [`DataError`], when the file cannot be read or is no complete IDX file.
pub(super) fn read_array(path: &Path, limit: UnpackLimit) -> Result<Array, DataError> {
    array(Content::open_within(path, limit)?)
}

/// The dimensions of an array of any type in memory, and how many values it has; `path` says what it is in errors.
///
/// # Errors
/// [`DataError`], when it is no complete IDX file.
pub fn parse_array(path: &Path, bytes: &[u8]) -> Result<(Vec<usize>, usize), DataError> {
    let array = array(Content::of_bytes(path, bytes)?)?;
    Ok((array.dims, array.numbers.len()))
}

fn array(mut content: Content<'_>) -> Result<Array, DataError> {
    const MOST_DIMENSIONS: u8 = 4;
    let path = content.path().to_owned();
    let magic = content.exactly(4)?;
    let width = match magic[2] {
        0x08 | 0x09 => 1,
        0x0b => 2,
        0x0c | 0x0d => 4,
        0x0e => 8,
        _ => 0,
    };
    if magic[..2] != [0, 0] || width == 0 || !(1..=MOST_DIMENSIONS).contains(&magic[3]) {
        let meaning = "an array of bytes; 09 to 0e for other numbers, 01 to 04 for dimensions";
        return Err(DataError::Magic { path, expected: 0x0803, meaning, found: big_endian(&magic) });
    }
    let header = content.exactly(4 * u64::from(magic[3]))?;
    let dims: Vec<u32> = header.chunks_exact(4).map(big_endian).collect();
    let count = dims.iter().try_fold(1_u64, |product, &dim| product.checked_mul(dim.into()));
    let Some(count) = count.filter(|count| (1..=MOST_VALUES).contains(count)) else {
        return Err(DataError::Dimensions { path, dims, limit: MOST_VALUES });
    };
    let bytes = content.exactly(count * width)?;
    content.finish()?;
    let numbers = match magic[2] {
        0x08 => Numbers::Bytes(bytes),
        0x09 => Numbers::Whole(bytes.into_iter().map(|byte| i64::from(byte.cast_signed())).collect()),
        0x0b => Numbers::Whole(each(&bytes, |bytes| i16::from_be_bytes(bytes).into())),
        0x0c => Numbers::Whole(each(&bytes, |bytes| i32::from_be_bytes(bytes).into())),
        0x0d => Numbers::Real(each(&bytes, f32::from_be_bytes)),
        _ => Numbers::Real(each(&bytes, |bytes| f64::from_be_bytes(bytes) as f32)),
    };
    if let Numbers::Real(values) = &numbers
        && let Some(at) = values.iter().position(|value| !value.is_finite())
    {
        return Err(DataError::Unusable {
            path,
            expected: "finite numbers".into(),
            found: format!("{} at position {at}", values[at]),
            advice: "write the file again without them".into(),
        });
    }
    Ok(Array { dims: dims.into_iter().map(|dim| dim as usize).collect(), numbers })
}

fn each<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|&bytes| number(bytes)).collect()
}

fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
}
