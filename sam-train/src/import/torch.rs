//! Files of `torch.save`: tensors by name, of both layouts that PyTorch has written, read without executing anything.
//!
//! Since 1.6 such a file is a zip archive with a pickle `NAME/data.pkl` and the numbers of each storage in `NAME/data/KEY`. Before,
//! it was four pickles (a magic number, a version, facts of the machine, the value), a fifth with the storages' keys in their order,
//! and then for each of them its length and its numbers.

use std::{
    collections::HashMap,
    io::{Cursor, Read as _},
    ops::Range,
};

use zip::{CompressionMethod, ZipArchive};

use self::pickle::{Element, Global, Id, Pickle, PickleError, Value};
use crate::training::state::Tensor;

pub mod pickle;

/// How the older layout begins: the pickle of 119547037146038801333356, behind the number of its protocol.
const MAGIC: [u8; 13] = [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];
const ZIP: &[u8] = b"PK\x03\x04";
/// The names under which training programs keep a network beside other things.
const NESTED: [&str; 3] = ["state_dict", "model", "model_state_dict"];

/// Why a file of `torch.save` cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TorchError {
    /// The pickle has something else than tensors.
    #[error(transparent)]
    Pickle(#[from] PickleError),
    /// The archive is damaged.
    #[error("expected a whole zip archive, found {0}")]
    Archive(String),
    /// A part of it is not what it should be.
    #[error("{what}: expected {expected}, found {found}")]
    Part {
        /// The part.
        what: String,
        /// What it should be.
        expected: &'static str,
        /// What is there.
        found: String,
    },
}

fn part<T>(
    what: impl Into<String>,
    expected: &'static str,
    found: impl Into<String>,
) -> Result<T, TorchError> {
    Err(TorchError::Part { what: what.into(), expected, found: found.into() })
}

/// Whether a file that begins with `content` may be one of `torch.save`.
#[must_use]
pub fn is_torch(content: &[u8]) -> bool {
    content.starts_with(ZIP) || content.get(2..2 + MAGIC.len()) == Some(&MAGIC)
}

/// The tensors of single precision in the file `content`, in its order and with its names. Counters in 64-bit integers are left out.
///
/// A dictionary of tensors is looked for at the top, then under the names `state_dict`, `model` and `model_state_dict`. Memory is in
/// proportion to the file.
///
/// # Errors
/// [`TorchError`], when it is no such file, or has something that a dictionary of tensors has not.
pub fn read(content: &[u8]) -> Result<Vec<Tensor>, TorchError> {
    if content.starts_with(ZIP) { read_archive(content) } else { read_legacy(content) }
}

fn read_archive(content: &[u8]) -> Result<Vec<Tensor>, TorchError> {
    let broken = |error: zip::result::ZipError| TorchError::Archive(error.to_string());
    let mut archive = ZipArchive::new(Cursor::new(content)).map_err(broken)?;
    let (mut entries, mut total) = (HashMap::new(), 0);
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(broken)?;
        // The first folder has the name of the file as it was saved.
        let name = entry.name().split_once('/').map_or("", |(_, name)| name).to_owned();
        if name != "data.pkl" && name != "byteorder" && !name.starts_with("data/") {
            continue;
        }
        if entry.compression() != CompressionMethod::Stored {
            return part(entry.name(), "bytes that are not packed", entry.compression().to_string());
        }
        // Stored bytes: no more of them than the file has.
        let mut bytes = Vec::new();
        let most = content.len() as u64;
        entry
            .by_ref()
            .take(most)
            .read_to_end(&mut bytes)
            .map_err(|error| TorchError::Archive(error.to_string()))?;
        total += bytes.len();
        entries.insert(name, bytes);
        if total > content.len() {
            return Err(TorchError::Archive("entries that share their bytes".to_owned()));
        }
    }
    if let Some(order) = entries.get("byteorder").filter(|order| *order != b"little") {
        return part("byteorder", "little", String::from_utf8_lossy(order));
    }
    let Some(pickle) = entries.remove("data.pkl") else {
        return part("archive", "a file data.pkl", "none");
    };
    let pickle = Pickle::read(&pickle)?;
    tensors(&pickle, content.len() as u64, |storage| {
        entries.get(&format!("data/{}", storage.key)).map(Vec::as_slice)
    })
}

fn read_legacy(content: &[u8]) -> Result<Vec<Tensor>, TorchError> {
    let mut at = 0;
    let mut next = || {
        let pickle = Pickle::read(&content[at..])?;
        at += pickle.length;
        Ok::<_, PickleError>(pickle)
    };
    let _magic = next()?;
    let version = next()?;
    if *version.root() != Value::Whole(1001) {
        return part("version of the layout", "1001", format!("{:?}", version.root()));
    }
    let machine = next()?;
    if let Value::Dict(facts) = machine.root() {
        let order = facts.iter().find(|(key, _)| machine.text(*key) == Some("little_endian"));
        if order.is_some_and(|&(_, value)| *machine.get(value) != Value::Bool(true)) {
            return part("order of bytes", "the lowest first", "the highest first");
        }
    }
    let (value, keys) = (next()?, next()?);
    // A storage's element is in its name, which the value has; those that it has not are not needed, but must be passed over.
    let elements: HashMap<&str, Element> =
        value.storages().map(|storage| (storage.key, storage.element)).collect();
    let mut places: HashMap<String, Range<usize>> = HashMap::new();
    let Value::List(listed) = keys.root() else {
        return part("fifth pickle", "a list of keys", "another value");
    };
    for &key in listed {
        let Some(key) = keys.text(key) else { return part("fifth pickle", "strings", "another value") };
        let Some(element) = elements.get(key) else {
            return part(format!("storage {key}"), "one that a tensor uses", "one of none");
        };
        let count = content
            .get(at..at.saturating_add(8))
            .map_or(0, |bytes| bytes.iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte)));
        let start = at.saturating_add(8);
        let length = count.checked_mul(element.size()).and_then(|length| usize::try_from(length).ok());
        let end = length.and_then(|length| start.checked_add(length)).filter(|&end| end <= content.len());
        let Some(end) = end else {
            return part(format!("storage {key}"), "all of its numbers", "the end of the file");
        };
        places.insert(key.to_owned(), start..end);
        at = end;
    }
    tensors(&value, content.len() as u64, |storage| {
        places.get(storage.key).map(|place| &content[place.clone()])
    })
}

/// A storage as a pickle names it.
struct Storage<'a> {
    element: Element,
    key: &'a str,
    /// Elements.
    count: u64,
}

impl Pickle {
    /// The storage that is meant by the persistent name `id`: (`storage`, its class, its key, a device, its length, ...).
    fn storage(&self, id: Id) -> Option<Storage<'_>> {
        let &[kind, class, key, _, count, ..] = self.sequence(id)? else { return None };
        let &Value::Global(Global::Storage(element)) = self.get(class) else { return None };
        let is_storage = self.text(kind) == Some("storage");
        is_storage.then_some(Storage { element, key: self.text(key)?, count: self.natural(count)? })
    }

    fn storages(&self) -> impl Iterator<Item = Storage<'_>> {
        self.values().filter_map(|value| match value {
            Value::Persistent(id) => self.storage(*id),
            _ => None,
        })
    }

    /// The entries of the dictionary of tensors.
    fn entries(&self) -> Option<&[(Id, Id)]> {
        let Value::Dict(top) = self.root() else { return None };
        let has_tensors = |entries: &[(Id, Id)]| {
            entries.iter().any(|&(_, value)| matches!(self.get(value), Value::Tensor(_)))
        };
        let nested = NESTED.iter().find_map(|name| {
            let &(_, value) = top.iter().find(|&&(key, _)| self.text(key) == Some(name))?;
            match self.get(value) {
                Value::Dict(entries) => Some(entries.as_slice()),
                _ => None,
            }
        });
        if has_tensors(top) { Some(top) } else { nested }
    }
}

/// The tensors of a value whose storages' bytes `bytes` has, out of a file of `file_length` bytes.
fn tensors<'a>(
    pickle: &Pickle,
    file_length: u64,
    bytes: impl Fn(&Storage<'_>) -> Option<&'a [u8]>,
) -> Result<Vec<Tensor>, TorchError> {
    let Some(entries) = pickle.entries() else {
        return part("value", "a dictionary of tensors, as state_dict() gives it", "another value");
    };
    // Tensors may share a storage, but not so that a small file unfolds to a large one.
    let mut budget = file_length / 4;
    let mut found = Vec::new();
    for &(key, value) in entries {
        let Some(name) = pickle.text(key) else { return part("value", "names of tensors", "another key") };
        let &Value::Tensor(arguments) = pickle.get(value) else { continue };
        let malformed = || TorchError::Part {
            what: name.to_owned(),
            expected: "a storage, an offset, sizes and strides",
            found: "other values".to_owned(),
        };
        let Some(&[storage, offset, sizes, strides, ..]) = pickle.sequence(arguments) else {
            return Err(malformed());
        };
        let &Value::Persistent(storage) = pickle.get(storage) else { return Err(malformed()) };
        let storage = pickle.storage(storage).ok_or_else(malformed)?;
        match storage.element {
            Element::Float => {}
            Element::Long => continue,
            Element::Other(class, _) => {
                return part(name, "numbers of single precision; save them after .float()", class);
            }
        }
        let naturals =
            |id| pickle.sequence(id)?.iter().map(|&id| pickle.natural(id)).collect::<Option<Vec<u64>>>();
        let offset = pickle.natural(offset).ok_or_else(malformed)?;
        let (sizes, strides) =
            (naturals(sizes).ok_or_else(malformed)?, naturals(strides).ok_or_else(malformed)?);
        let Some(bytes) =
            bytes(&storage).filter(|bytes| bytes.len() as u64 == storage.count.saturating_mul(4))
        else {
            return part(name, "as many numbers as its storage says", "others");
        };
        let count = sizes.iter().try_fold(1_u64, |count, &size| count.checked_mul(size));
        let Some(rest) = count.and_then(|count| budget.checked_sub(count)) else {
            return part(name, "no more numbers than the file has", format!("sizes {sizes:?}"));
        };
        budget = rest;
        let Some(values) = gather(bytes.as_chunks().0, offset, &sizes, &strides) else {
            return part(name, "sizes and strides within its storage", format!("{sizes:?} and {strides:?}"));
        };
        let shape = sizes.iter().map(|&size| size as usize).collect();
        found.push(Tensor { name: name.to_owned(), shape, values });
    }
    Ok(found)
}

/// The numbers of a tensor with its last dimension running fastest; nothing where one lies outside. As many as the sizes' product are
/// there to be allocated.
fn gather(storage: &[[u8; 4]], offset: u64, sizes: &[u64], strides: &[u64]) -> Option<Vec<f32>> {
    if sizes.len() != strides.len() {
        return None;
    }
    if sizes.contains(&0) {
        return Some(Vec::new());
    }
    let reach = |last: u64, (size, stride): (&u64, &u64)| last.checked_add((size - 1).checked_mul(*stride)?);
    let last = sizes.iter().zip(strides).try_fold(offset, reach)?;
    if last >= storage.len() as u64 {
        return None;
    }
    let mut places = vec![offset as usize];
    for (&size, &stride) in sizes.iter().zip(strides) {
        let along = |place: usize| (0..size).map(move |i| place + (i * stride) as usize);
        places = places.into_iter().flat_map(along).collect();
    }
    Some(places.into_iter().map(|place| f32::from_le_bytes(storage[place])).collect())
}
