//! Pictures left in their files, which are decoded whenever they are needed: a training set may be larger than the memory.
//! Those that were decoded before may be kept so in a file of a bounded size.

use std::{
    fs::File,
    io::BufReader,
    num::NonZeroUsize,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use sam_model::ImageShape;

use super::{DataError, decoded::Decoded, own::picture, views::View};
use crate::files;

/// Pictures of any sizes as images of one.
#[derive(Debug, Clone)]
pub struct Pictures {
    files: Arc<Vec<Listed>>,
    shape: ImageShape,
    decoded: Option<Arc<Decoded>>,
}

/// A picture's file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    path: PathBuf,
    /// Its number among those that may be kept decoded.
    number: usize,
}

impl PartialEq for Pictures {
    /// By names and size: contents are not compared.
    fn eq(&self, other: &Self) -> bool {
        fn paths(pictures: &Pictures) -> impl Iterator<Item = &PathBuf> {
            pictures.files.iter().map(|file| &file.path)
        }
        self.shape == other.shape && paths(self).eq(paths(other))
    }
}

impl Eq for Pictures {}

impl Pictures {
    /// The files `paths` as images of `shape`, of 1 or 3 channels.
    pub fn new(paths: Vec<PathBuf>, shape: ImageShape) -> Self {
        let files = paths.into_iter().enumerate().map(|(number, path)| Listed { path, number }).collect();
        Self { files: Arc::new(files), shape, decoded: None }
    }

    /// The same pictures, of which `decoded` keeps those that were decoded before, from its place `first` on. Subsets share it.
    #[must_use]
    pub fn kept_in(&self, decoded: &Arc<Decoded>, first: usize) -> Self {
        let listed = |(i, file): (usize, &Listed)| Listed { path: file.path.clone(), number: first + i };
        let files = self.files.iter().enumerate().map(listed).collect();
        Self { files: Arc::new(files), shape: self.shape, decoded: Some(Arc::clone(decoded)) }
    }

    /// The size of an image.
    pub const fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The number of pictures.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// Those of these numbers.
    #[must_use]
    pub fn chosen(&self, numbers: impl IntoIterator<Item = usize>) -> Self {
        let files = numbers.into_iter().map(|number| self.files[number].clone()).collect();
        Self { files: Arc::new(files), shape: self.shape, decoded: self.decoded.clone() }
    }

    /// The part of the picture `number` that `view` says for its size.
    ///
    /// # Errors
    /// [`DataError::Picture`], when the file cannot be read any more, unless the picture was kept.
    pub fn view(
        &self,
        number: usize,
        view: impl FnOnce(ImageShape, ImageShape) -> View,
    ) -> Result<Vec<u8>, DataError> {
        let Listed { path, number } = &self.files[number];
        let kept = self.decoded.as_ref().and_then(|decoded| decoded.get(*number));
        let (bytes, shape) = match kept {
            Some(kept) => kept,
            None => {
                let picture = decode(path, self.shape.channels)
                    .map_err(|reason| DataError::Picture { path: path.clone(), reason })?;
                if let Some(decoded) = &self.decoded {
                    decoded.put(*number, &picture.0, picture.1);
                }
                picture
            }
        };
        Ok(view(shape, self.shape).show(&bytes, shape, self.shape))
    }

    /// The centres of the pictures `numbers`, image by image. All cores work.
    ///
    /// # Errors
    /// As [`Pictures::view`].
    pub fn centres(&self, numbers: Range<usize>, into: &mut [u8]) -> Result<(), DataError> {
        let numbers: Vec<usize> = numbers.collect();
        on_threads(
            &numbers,
            into,
            self.shape.len(),
            || (),
            |&number, (), image| {
                image.copy_from_slice(&self.view(number, View::centre)?);
                Ok(())
            },
        )
    }
}

/// The whole picture as bytes of 1 or 3 channels, and its shape.
///
/// # Errors
/// What is wrong with it, for people.
pub fn decode(path: &Path, channels: usize) -> Result<(Vec<u8>, ImageShape), String> {
    let file = files::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let stream: BufReader<File> = BufReader::new(file);
    picture::whole(stream, channels)
}

/// Calls `work` with each item, what its thread has from `start`, and its part of `into`, `len` values long. All cores work; the
/// error is that of the first item that has one.
pub fn on_threads<I: Sync, S, V: Send>(
    items: &[I],
    into: &mut [V],
    len: usize,
    start: impl Fn() -> S + Sync,
    work: impl Fn(&I, &mut S, &mut [V]) -> Result<(), DataError> + Sync,
) -> Result<(), DataError> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = items.len().div_ceil(threads).max(1);
    let (start, work) = (&start, &work);
    let run = move |items: &[I], into: &mut [V]| {
        let mut own = start();
        items
            .iter()
            .zip(into.chunks_exact_mut(len))
            .try_for_each(|(item, values)| work(item, &mut own, values))
    };
    if items.len() <= 1 {
        return run(items, into);
    }
    thread::scope(|scope| {
        let parts: Vec<_> = items
            .chunks(share)
            .zip(into.chunks_mut(share * len))
            .map(|(items, into)| scope.spawn(move || run(items, into)))
            .collect();
        // A thread panics where the decoder does: that is no outcome of a file.
        parts
            .into_iter()
            .try_for_each(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
