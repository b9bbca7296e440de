//! Pictures with their classes: class folders of them, and what any pictures need to become one data set.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Seek},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
};

use sam_model::ImageShape;

use super::{
    arrays::{Images, Numbers},
    directory::{Content, entries, name_of},
    picture::{self, Probe},
    settings::{FileSettings, Fit, PixelSize},
    splits::{RawImages, RawSplit, RawSplits, Split},
    unreadable::Broken,
};
use crate::data::{DataError, Pictures, streamed};
use crate::files;

/// Where pictures of several sizes go if nothing is said.
const USUAL: PixelSize = PixelSize { height: 32, width: 32 };
/// Where the middle of pictures goes if nothing is said.
const IMAGENET: PixelSize = PixelSize { height: 224, width: 224 };
/// Endings of files that are pictures, or are meant to be.
const ENDINGS: [&str; 10] = ["png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff", "heic", "avif"];
/// Folders below the folder of a class, so that a link to itself ends.
const DEEPEST: usize = 8;

/// A picture with its class, wherever it lies.
pub trait Picture: Send + Sync {
    /// Its bytes, or why they cannot be read.
    fn open(&self) -> Result<impl BufRead + Seek, String>;
    /// Its class.
    fn class(self) -> String;
    /// That it cannot be read.
    fn broken(self, reason: String) -> Broken;
}

/// A picture's file with its class.
struct Labelled {
    path: PathBuf,
    class: String,
}

impl Picture for Labelled {
    fn open(&self) -> Result<impl BufRead + Seek, String> {
        files::open(&self.path).map(BufReader::new).map_err(|error| format!("cannot be read: {error}"))
    }

    fn class(self) -> String {
        self.class
    }

    fn broken(self, reason: String) -> Broken {
        Broken { path: self.path, line: None, reason }
    }
}

/// The parts of the data set, and the files that cannot be read.
pub fn read(
    content: &Content,
    settings: &FileSettings,
    notes: &mut Vec<String>,
) -> Result<(RawSplits, Vec<Broken>), DataError> {
    let mut ignored = BTreeMap::new();
    let mut found = Vec::new();
    let splits: Vec<(Split, &PathBuf)> =
        content.folders.iter().filter_map(|folder| Some((Split::of(&name_of(folder))?, folder))).collect();
    // Classes may be called so too; then they are not all folders.
    if splits.len() == content.folders.len() && splits.iter().any(|(split, _)| *split == Split::Train) {
        for (split, folder) in splits {
            let inside = entries(folder)?;
            let classes: Vec<PathBuf> = inside.into_iter().filter(|entry| entry.is_dir()).collect();
            found.push((split, folder.clone(), labelled(&classes, &mut ignored)?));
        }
    } else {
        found.push((Split::Train, content.path.clone(), labelled(&content.folders, &mut ignored)?));
    }
    if !ignored.is_empty() {
        let kinds: Vec<String> = ignored.iter().map(|(ending, count)| format!("{count} {ending}")).collect();
        notes.push(format!("files in class folders that are no pictures: {}", kinds.join(", ")));
    }
    let mut broken = Vec::new();
    let probed = probed(found, &mut broken);
    let Some(shape) = shape_of(&probed, settings, notes) else {
        if let Some(first) = broken.first() {
            return Err(DataError::Broken { first: first.to_string(), count: broken.len() });
        }
        return Err(content.unusable("folders without pictures"));
    };
    if settings.fit == Fit::Centre {
        notes.push(format!(
            "pictures are left in their files: the middle at {}x{}, or a part of each, is decoded whenever it is needed",
            shape.height, shape.width
        ));
        return Ok((left_in_files(probed, shape, &mut broken), broken));
    }
    Ok((decoded(probed, shape, &mut broken), broken))
}

/// Pictures with where they come from, by parts, and what their headers say.
pub type Probed<P> = Vec<(Split, PathBuf, Vec<P>, Vec<Probe>)>;

/// The pictures whose headers can be read; the others are added to `broken`.
pub fn probed<P: Picture>(found: Vec<(Split, PathBuf, Vec<P>)>, broken: &mut Vec<Broken>) -> Probed<P> {
    let mut probed = Vec::new();
    for (split, origin, pictures) in found {
        let (good, probes) = good(pictures, |picture| picture::probe(picture.open()?), broken);
        probed.push((split, origin, good, probes));
    }
    probed
}

/// The shape that all of them are brought to; `None` if there are none.
pub fn shape_of<P>(
    probed: &Probed<P>,
    settings: &FileSettings,
    notes: &mut Vec<String>,
) -> Option<ImageShape> {
    let probes = || probed.iter().flat_map(|(.., probes)| probes);
    let first = probes().next()?;
    let same = probes().all(|probe| (probe.height, probe.width) == (first.height, first.width));
    let size = match settings.size {
        Some(size) => size,
        None if settings.fit == Fit::Centre => IMAGENET,
        None if same => PixelSize { height: first.height as usize, width: first.width as usize },
        None => {
            notes.push(format!("pictures of several sizes are brought to {USUAL}; `size` chooses another"));
            USUAL
        }
    };
    let color = probes().any(|probe| probe.color) && !settings.grey;
    Some(ImageShape { height: size.height, width: size.width, channels: if color { 3 } else { 1 } })
}

/// The parts with their pictures in that shape; those that cannot be decoded are added to `broken`.
pub fn decoded<P: Picture>(probed: Probed<P>, shape: ImageShape, broken: &mut Vec<Broken>) -> RawSplits {
    let mut parts = RawSplits::default();
    for (split, origin, pictures, _) in probed {
        let (good, pixels) = good(pictures, |picture| picture::decode(picture.open()?, shape), broken);
        let numbers = Numbers::Bytes(pixels.concat());
        let labels = good.into_iter().map(Picture::class).collect();
        if !pixels.is_empty() {
            parts.0.push((split, RawSplit { origin, images: Images { shape, numbers }.into(), labels }));
        }
    }
    parts
}

/// The parts whose pictures are decoded later. Each is decoded once now, to know those that cannot be.
fn left_in_files(probed: Probed<Labelled>, shape: ImageShape, broken: &mut Vec<Broken>) -> RawSplits {
    let mut parts = RawSplits::default();
    for (split, origin, files, _) in probed {
        let whole = |file: &Labelled| streamed::decode(&file.path, shape.channels).map(drop);
        let (good, _) = good(files, whole, broken);
        let (paths, labels): (Vec<_>, Vec<_>) = good.into_iter().map(|file| (file.path, file.class)).unzip();
        if !paths.is_empty() {
            let images = RawImages::Pictures(Pictures::new(paths, shape));
            parts.0.push((split, RawSplit { origin, images, labels }));
        }
    }
    parts
}

/// The pictures in class folders.
fn labelled(classes: &[PathBuf], ignored: &mut BTreeMap<String, usize>) -> Result<Vec<Labelled>, DataError> {
    let mut found = Vec::new();
    for folder in classes {
        let mut paths = Vec::new();
        collect(folder, DEEPEST, &mut paths)?;
        for path in paths {
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            match ENDINGS.contains(&ending.as_str()) {
                true => found.push(Labelled { path, class: name_of(folder) }),
                false => *ignored.entry(format!(".{ending}")).or_default() += 1,
            }
        }
    }
    Ok(found)
}

fn collect(folder: &Path, deepest: usize, files: &mut Vec<PathBuf>) -> Result<(), DataError> {
    for entry in entries(folder)? {
        match entry.is_dir() {
            true if deepest > 0 => collect(&entry, deepest - 1, files)?,
            true => {}
            false => files.push(entry),
        }
    }
    Ok(())
}

/// The pictures that `work` can do, with what it gives; the others are added to `broken`. All cores work.
fn good<P: Picture, T: Send>(
    files: Vec<P>,
    work: impl Fn(&P) -> Result<T, String> + Sync,
    broken: &mut Vec<Broken>,
) -> (Vec<P>, Vec<T>) {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = files.len().div_ceil(threads).max(1);
    let work = &work;
    let outcomes: Vec<Result<T, String>> = thread::scope(|scope| {
        let parts: Vec<_> = files
            .chunks(share)
            .map(|files| scope.spawn(move || files.iter().map(work).collect::<Vec<_>>()))
            .collect();
        // A thread panics where the decoder does: that is no outcome of a file.
        parts
            .into_iter()
            .flat_map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let (mut good, mut results) = (Vec::new(), Vec::new());
    for (file, outcome) in files.into_iter().zip(outcomes) {
        match outcome {
            Ok(result) => {
                good.push(file);
                results.push(result);
            }
            Err(reason) => broken.push(file.broken(reason)),
        }
    }
    (good, results)
}
