//! Class folders of pictures.

use std::{
    collections::BTreeMap,
    fs::File,
    io::BufReader,
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

/// A picture's file with its class.
struct Labelled {
    path: PathBuf,
    class: String,
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
    let mut probed: Probed = Vec::new();
    for (split, folder, files) in found {
        let (good, probes) = good(files, |file| probe(&file.path), &mut broken);
        probed.push((split, folder, good, probes));
    }
    let probes = || probed.iter().flat_map(|(.., probes)| probes);
    let Some(first) = probes().next() else {
        if let Some(first) = broken.first() {
            return Err(DataError::Broken { first: first.to_string(), count: broken.len() });
        }
        return Err(content.unusable("folders without pictures"));
    };
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
    let shape = ImageShape { height: size.height, width: size.width, channels: if color { 3 } else { 1 } };
    let mut parts = RawSplits::default();
    if settings.fit == Fit::Centre {
        notes.push(format!(
            "pictures are left in their files: the middle at {size}, or a part of each, is decoded whenever it is needed"
        ));
        return Ok((left_in_files(probed, shape, &mut broken), broken));
    }
    for (split, origin, files, _) in probed {
        let (good, pixels) = good(files, |file| decode(&file.path, shape), &mut broken);
        let numbers = Numbers::Bytes(pixels.concat());
        let labels = good.into_iter().map(|file| file.class).collect();
        if !pixels.is_empty() {
            parts.0.push((split, RawSplit { origin, images: Images { shape, numbers }.into(), labels }));
        }
    }
    Ok((parts, broken))
}

/// Pictures with their folders, by parts.
type Probed = Vec<(Split, PathBuf, Vec<Labelled>, Vec<Probe>)>;

/// The parts whose pictures are decoded later. Each is decoded once now, to know those that cannot be.
fn left_in_files(probed: Probed, shape: ImageShape, broken: &mut Vec<Broken>) -> RawSplits {
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

/// The files that `work` can do, with what it gives; the others are added to `broken`. All cores work.
fn good<T: Send>(
    files: Vec<Labelled>,
    work: impl Fn(&Labelled) -> Result<T, String> + Sync,
    broken: &mut Vec<Broken>,
) -> (Vec<Labelled>, Vec<T>) {
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
            Err(reason) => broken.push(Broken { path: file.path, line: None, reason }),
        }
    }
    (good, results)
}

fn opened(path: &Path) -> Result<BufReader<File>, String> {
    files::open(path).map(BufReader::new).map_err(|error| format!("cannot be read: {error}"))
}

fn probe(path: &Path) -> Result<Probe, String> {
    picture::probe(opened(path)?)
}

fn decode(path: &Path, shape: ImageShape) -> Result<Vec<u8>, String> {
    picture::decode(opened(path)?, shape)
}
