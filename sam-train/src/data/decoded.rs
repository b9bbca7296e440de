//! Pictures that were decoded before, in a temporary file of a bounded size.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{Mutex, OnceLock, PoisonError},
};

use sam_model::ImageShape;

/// Whole pictures as bytes, one behind the other in a file without a name, which the system removes when the process ends, however it
/// does. What does not fit, or cannot be written or read, is decoded again instead: no image depends on it.
#[derive(Debug)]
pub struct Decoded {
    places: Vec<OnceLock<Place>>,
    limit: u64,
    file: Mutex<Kept>,
}

/// Where a picture's bytes lie.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: u64,
    shape: ImageShape,
}

#[derive(Debug)]
struct Kept {
    file: File,
    /// Bytes that are taken.
    end: u64,
}

impl Decoded {
    /// Room for `limit` bytes of `count` pictures, in the system's folder for temporary files (`TMPDIR`). Takes 40 bytes of memory a
    /// picture.
    ///
    /// # Errors
    /// That of making a file there.
    pub fn new(count: usize, limit: u64) -> io::Result<Self> {
        let file = Mutex::new(Kept { file: tempfile::tempfile()?, end: 0 });
        Ok(Self { places: (0..count).map(|_| OnceLock::new()).collect(), limit, file })
    }

    /// The picture `number` with its shape, if it was kept.
    pub fn get(&self, number: usize) -> Option<(Vec<u8>, ImageShape)> {
        let &Place { at, shape } = self.places.get(number)?.get()?;
        let mut bytes = vec![0; shape.len()];
        let mut kept = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        kept.file.seek(SeekFrom::Start(at)).and_then(|_| kept.file.read_exact(&mut bytes)).ok()?;
        Some((bytes, shape))
    }

    /// Keeps the picture `number`, if there is room for it and the disk takes it.
    pub fn put(&self, number: usize, bytes: &[u8], shape: ImageShape) {
        let Some(place) = self.places.get(number) else { return };
        let mut kept = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.end;
        let end = at.saturating_add(bytes.len() as u64);
        if place.get().is_some() || end > self.limit {
            return;
        }
        let written = kept.file.seek(SeekFrom::Start(at)).and_then(|_| kept.file.write_all(bytes));
        match written {
            Ok(()) => {
                kept.end = end;
                // Nobody else can have: the file is locked.
                let _ = place.set(Place { at, shape });
            }
            // A full disk will not be less so for the next one.
            Err(_) => kept.end = self.limit,
        }
    }

    /// Bytes that are kept.
    pub fn len(&self) -> u64 {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).end
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_comes_back_and_nothing_else_is_there() {
        let kept = Decoded::new(3, 20).unwrap();
        let shape = |width| ImageShape::new(2, width, 3);
        let bytes = |len: usize| (0..len).map(|i| i as u8).collect::<Vec<_>>();
        assert_eq!(kept.get(0), None);
        kept.put(2, &bytes(12), shape(2));
        kept.put(1, &bytes(18), shape(3));
        kept.put(0, &bytes(6), shape(1));
        kept.put(7, &[], shape(1));
        assert_eq!(kept.get(2), Some((bytes(12), shape(2))));
        assert_eq!(kept.get(0), Some((bytes(6), shape(1))));
        assert_eq!((kept.get(1), kept.get(7)), (None, None), "there was no room, and no such picture");
        assert_eq!(kept.len(), 18);
        // A second time nothing is written.
        kept.put(2, &[9; 12], shape(2));
        assert_eq!((kept.get(2), kept.len()), (Some((bytes(12), shape(2))), 18));
    }
}
