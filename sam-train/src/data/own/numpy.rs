//! Arrays by name: NumPy's `.npy` and `.npz`, and safetensors.

use std::{
    io::{Cursor, Read},
    path::{Path, PathBuf},
};

use npyz::{DType, NpyFile, Order, TypeChar};
use safetensors::{Dtype, SafeTensors};
use zip::ZipArchive;

use super::{
    arrays::{Array, Images, Numbers, labels_of},
    directory::{Content, Format, name_of},
    settings::FileSettings,
    splits::{RawSplit, RawSplits, Role, Split},
};
use crate::data::{DataError, UnpackLimit};
use crate::files;

/// The most numbers accepted in one array: a header that claims more is damaged.
const MOST_NUMBERS: usize = 1 << 34;

/// What a file holds: an array of numbers, or words for labels.
#[derive(Debug, Clone, PartialEq)]
enum Values {
    Numbers(Array),
    Words(Vec<String>),
}

/// The parts of the data set: arrays whose names say what they hold, such as `x_train` and `y_train`, `train_images` and
/// `train_labels`, `X` and `y`.
pub fn read(
    content: &Content,
    settings: &FileSettings,
    notes: &mut Vec<String>,
) -> Result<RawSplits, DataError> {
    let mut arrays: Vec<(String, PathBuf, Member)> = Vec::new();
    for file in content.files(Format::Numpy)? {
        let bytes = files::read(file).map_err(|source| DataError::Read { path: file.clone(), source })?;
        let name = name_of(file);
        let ends = |ending| name.to_lowercase().ends_with(ending);
        if ends(".npz") || ends(".safetensors") {
            let split = Split::of(&name);
            let members = match ends(".npz") {
                true => members(file, &bytes, settings.unpacking())?,
                false => tensors(file, &bytes)?,
            };
            for (inner, bytes) in members {
                // `train.npz` and `test.npz` each hold `x` and `y`.
                let inner = match (split, Split::of(&inner)) {
                    (Some(_), None) => format!("{name} {inner}"),
                    _ => inner,
                };
                arrays.push((inner, file.clone(), bytes));
            }
        } else {
            arrays.push((name, file.clone(), Member::Npy(bytes)));
        }
    }
    let found = || arrays.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>().join(", ");
    let unusable = |expected: &'static str, found: String| DataError::Unusable {
        path: content.path.clone(),
        expected: expected.into(),
        found,
        advice: "name the arrays x_train, y_train, x_test and y_test, or x and y".into(),
    };
    let mut parts = RawSplits::default();
    for split in [Split::Train, Split::Validation, Split::Test] {
        let of = |role| {
            let own =
                |name: &str| Split::of(name).unwrap_or(Split::Train) == split && Role::of(name) == Some(role);
            let mut found = arrays.iter().filter(|(name, ..)| own(name));
            match (found.next(), found.next()) {
                (Some((first, ..)), Some((second, ..))) => Err(unusable(
                    "one array of images and one of labels for each part",
                    format!("{first} and {second}"),
                )),
                (found, _) => Ok(found),
            }
        };
        match (of(Role::Images)?, of(Role::Labels)?) {
            (Some((_, origin, images)), Some((_, of_labels, labels))) => {
                let images = match images.parse(origin)? {
                    Values::Numbers(array) => Images::of(array, settings.size, origin)?,
                    Values::Words(_) => return Err(unusable("images of numbers", "words".into())),
                };
                let labels = match labels.parse(of_labels)? {
                    Values::Numbers(array) => labels_of(&array, of_labels)?,
                    Values::Words(words) => words,
                };
                parts.0.push((split, RawSplit { origin: origin.clone(), images: images.into(), labels }));
            }
            (None, None) => {}
            _ => return Err(unusable("an array of images with one of labels", found())),
        }
    }
    let unread: Vec<&str> =
        arrays.iter().map(|(name, ..)| name.as_str()).filter(|name| Role::of(name).is_none()).collect();
    if !unread.is_empty() {
        notes.push(format!("arrays that are not read: {}", unread.join(", ")));
    }
    if parts.0.is_empty() {
        return Err(unusable("arrays whose names say that they are images and labels", found()));
    }
    Ok(parts)
}

/// The labels in a `.npy` file of one array.
///
/// # Errors
/// [`DataError`], when the file cannot be read or holds no labels.
pub fn labels(path: &Path) -> Result<Vec<String>, DataError> {
    let bytes = files::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    match parse_any(path, &bytes)? {
        Values::Numbers(array) => labels_of(&array, path),
        Values::Words(words) => Ok(words),
    }
}

/// The arrays in a `.npz`, a zip archive of `.npy` files.
fn members(path: &Path, bytes: &[u8], limit: UnpackLimit) -> Result<Vec<(String, Member)>, DataError> {
    let broken = |found: String| broken(path, "a whole .npz of numpy.savez", found);
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(error.to_string()))?;
    let mut members = Vec::new();
    let (packed, mut unpacked) = (bytes.len() as u64, 0);
    for index in 0..archive.len() {
        let member = archive.by_index(index).map_err(|error| broken(error.to_string()))?;
        let name = member.name().trim_end_matches(".npy").to_owned();
        let mut content = Vec::new();
        // One byte more than is allowed says that there is more: what the archive says of sizes need not be so.
        let allowed = limit.allowed(packed).saturating_sub(unpacked);
        let read = member.take(allowed.saturating_add(1)).read_to_end(&mut content);
        unpacked += read.map_err(|error| broken(format!("{name}: {error}")))? as u64;
        limit
            .check(packed, unpacked)
            .map_err(|expanded| DataError::Expands { path: path.to_owned(), expanded })?;
        members.push((name, Member::Npy(content)));
    }
    Ok(members)
}

/// An array that was found by its name: of a `.npy` as it was written, since not all that are there are read.
enum Member {
    Npy(Vec<u8>),
    Array(Array),
}

impl Member {
    fn parse(&self, path: &Path) -> Result<Values, DataError> {
        match self {
            Self::Npy(bytes) => parse_any(path, bytes),
            Self::Array(array) => Ok(Values::Numbers(array.clone())),
        }
    }
}

/// The tensors of numbers in a safetensors file.
fn tensors(path: &Path, bytes: &[u8]) -> Result<Vec<(String, Member)>, DataError> {
    let broken = |expected: &'static str, found: String| DataError::Unusable {
        path: path.to_owned(),
        expected: expected.into(),
        found,
        advice: "save it again by safetensors' save_file".into(),
    };
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| broken("a whole safetensors file", error.to_string()))?;
    let tensor = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
        let data = view.data();
        let numbers = match view.dtype() {
            Dtype::U8 | Dtype::BOOL => Numbers::Bytes(data.to_vec()),
            Dtype::I8 => Numbers::Whole(data.iter().map(|&byte| i64::from(byte.cast_signed())).collect()),
            Dtype::I16 => Numbers::Whole(each(data, |bytes| i16::from_le_bytes(bytes).into())),
            Dtype::U16 => Numbers::Whole(each(data, |bytes| u16::from_le_bytes(bytes).into())),
            Dtype::I32 => Numbers::Whole(each(data, |bytes| i32::from_le_bytes(bytes).into())),
            Dtype::U32 => Numbers::Whole(each(data, |bytes| u32::from_le_bytes(bytes).into())),
            Dtype::I64 => Numbers::Whole(each(data, i64::from_le_bytes)),
            Dtype::F32 => Numbers::Real(each(data, f32::from_le_bytes)),
            Dtype::F64 => Numbers::Real(each(data, |bytes| f64::from_le_bytes(bytes) as f32)),
            other => {
                let expected = "tensors of bytes, whole numbers of 8 to 64 bits, float32 or float64";
                return Err(broken(expected, format!("{other:?} in {name}")));
            }
        };
        if let Numbers::Real(values) = &numbers
            && let Some(at) = values.iter().position(|value| !value.is_finite())
        {
            return Err(broken("finite numbers", format!("{} at position {at} of {name}", values[at])));
        }
        Ok((name, Member::Array(Array { dims: view.shape().to_vec(), numbers })))
    };
    file.tensors().into_iter().map(tensor).collect()
}

fn each<const N: usize, T>(data: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    data.as_chunks::<N>().0.iter().map(|&bytes| number(bytes)).collect()
}

fn broken(path: &Path, expected: &'static str, found: String) -> DataError {
    let advice = "save it again by numpy.save or numpy.savez".into();
    DataError::Unusable { path: path.to_owned(), expected: expected.into(), found, advice }
}

/// The dimensions of a `.npy` file of numbers in memory, and how many it has; `path` says what it is in errors.
///
/// # Errors
/// [`DataError`], when it is damaged or holds something else than numbers or words.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<usize>, usize), DataError> {
    Ok(match parse_any(path, bytes)? {
        Values::Numbers(array) => (array.dims, array.numbers.len()),
        Values::Words(words) => (vec![words.len()], words.len()),
    })
}

fn parse_any(path: &Path, bytes: &[u8]) -> Result<Values, DataError> {
    let damaged = |found: String| broken(path, "a whole .npy file", found);
    // The reader of the format multiplies the dimensions before anybody can look at them.
    check_header(bytes).map_err(damaged)?;
    let file = NpyFile::new(bytes).map_err(|error| damaged(error.to_string()))?;
    let dims: Vec<usize> =
        file.shape().iter().map(|&dim| usize::try_from(dim).unwrap_or(usize::MAX)).collect();
    let kind = match file.dtype() {
        DType::Plain(kind) => kind,
        other => return Err(broken(path, "an array of numbers", other.descr())),
    };
    let order = file.order();
    let width = kind.num_bytes().unwrap_or(0);
    let too_short = dims.iter().try_fold(width, |product, &dim| product.checked_mul(dim));
    // Memory grows with what is there, not with what the header claims.
    if too_short.is_none_or(|needed| needed > bytes.len()) {
        return Err(damaged(format!("{} bytes for an array of {dims:?}", bytes.len())));
    }
    let wrong = |error: std::io::Error| damaged(error.to_string());
    let whole = |values: Vec<i64>| Numbers::Whole(values);
    let real = |values: Vec<f64>| Numbers::Real(values.into_iter().map(|value| value as f32).collect());
    let numbers = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Uint, 1) => Numbers::Bytes(file.into_vec::<u8>().map_err(wrong)?),
        (TypeChar::Bool, 1) => {
            Numbers::Bytes(file.into_vec::<bool>().map_err(wrong)?.into_iter().map(u8::from).collect())
        }
        (TypeChar::Uint, 2) => whole(widened(file.into_vec::<u16>().map_err(wrong)?)),
        (TypeChar::Uint, 4) => whole(widened(file.into_vec::<u32>().map_err(wrong)?)),
        (TypeChar::Int, 1) => whole(widened(file.into_vec::<i8>().map_err(wrong)?)),
        (TypeChar::Int, 2) => whole(widened(file.into_vec::<i16>().map_err(wrong)?)),
        (TypeChar::Int, 4) => whole(widened(file.into_vec::<i32>().map_err(wrong)?)),
        (TypeChar::Int, 8) => whole(file.into_vec().map_err(wrong)?),
        (TypeChar::Float, 4) => Numbers::Real(file.into_vec::<f32>().map_err(wrong)?),
        (TypeChar::Float, 8) => real(file.into_vec::<f64>().map_err(wrong)?),
        (TypeChar::UnicodeStr, _) => return file.into_vec::<String>().map(Values::Words).map_err(wrong),
        _ => {
            let expected = "bytes, whole numbers of 8 to 64 bits, float32, float64 or words";
            return Err(broken(path, expected, kind.to_string()));
        }
    };
    if let Numbers::Real(values) = &numbers
        && let Some(at) = values.iter().position(|value| !value.is_finite())
    {
        return Err(broken(path, "finite numbers", format!("{} at position {at}", values[at])));
    }
    let numbers = if order == Order::Fortran { c_order(&numbers, &dims) } else { numbers };
    Ok(Values::Numbers(Array { dims, numbers }))
}

fn widened<T: Into<i64>>(values: Vec<T>) -> Vec<i64> {
    values.into_iter().map(Into::into).collect()
}

/// Makes sure that the dimensions in the header have a product.
fn check_header(bytes: &[u8]) -> Result<(), String> {
    let header = bytes.get(..bytes.len().min(1 << 16)).unwrap_or_default();
    let text = String::from_utf8_lossy(header);
    let shape = text.find("'shape'").and_then(|start| {
        let rest = &text[start..];
        Some(rest[rest.find('(')?..].split(')').next()?.trim_start_matches('(').to_owned())
    });
    let Some(shape) = shape else { return Err("no shape in its header".to_owned()) };
    let mut product = 1_usize;
    for dim in shape.split(',').map(str::trim).filter(|dim| !dim.is_empty()) {
        let dim: usize = dim.trim_end_matches('L').parse().map_err(|_| format!("a dimension of {dim}"))?;
        product = product
            .checked_mul(dim.max(1))
            .filter(|&product| product <= MOST_NUMBERS)
            .ok_or_else(|| format!("dimensions of ({shape})"))?;
    }
    Ok(())
}

/// Numbers whose first dimension runs fastest, in the order in which the last one does.
fn c_order(numbers: &Numbers, dims: &[usize]) -> Numbers {
    let from = (0..numbers.len()).map(|mut to| {
        let mut index = vec![0; dims.len()];
        for (axis, &dim) in dims.iter().enumerate().rev() {
            (index[axis], to) = (to % dim, to / dim);
        }
        index.iter().zip(dims).rev().fold(0, |place, (&index, &dim)| place * dim + index)
    });
    numbers.rearranged(from)
}
