//! What can be wrong with a data set, each said with the file, what was expected and what was found.

use std::{io, path::PathBuf};

use super::unpacking::Expanded;

/// A data set that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// No directory that was searched holds the data set.
    #[error("{name} not found in {}: {advice}", .searched.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "))]
    NotFound {
        /// The data set's name.
        name: &'static str,
        /// The directories that were searched.
        searched: Vec<PathBuf>,
        /// How to get the data.
        advice: &'static str,
    },
    /// A file of the data set is absent although its neighbours are there.
    #[error("{}: no such file (nor with .gz), though the rest of {name} is there: {advice}", .path.display())]
    MissingFile {
        /// The absent file.
        path: PathBuf,
        /// The data set's name.
        name: &'static str,
        /// How to get the data.
        advice: &'static str,
    },
    /// The operating system could not read the file.
    #[error("{}: cannot be read: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no file for decoded pictures.
    #[error("{}: `picture-cache` needs a temporary file there, which cannot be made: {source}; set TMPDIR to another folder, or do without", .folder.display())]
    NoCache {
        /// The folder for temporary files.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file named `.gz` that does not begin as gzip does.
    #[error("{}: expected a gzip file (first bytes 1f 8b), found {found}; unpack or download it again", .path.display())]
    NotGzip {
        /// The file.
        path: PathBuf,
        /// Its first bytes in hexadecimal.
        found: String,
    },
    /// Compressed data that cannot be unpacked.
    #[error("{}: its compressed data is damaged ({source}); download it again", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        source: io::Error,
    },
    /// Compressed data that unpacks to more than it may.
    #[error("{}: expected a file that unpacks to a plausible size, found {expanded}; if it is meant to, choose a larger \
             `unpack-limit` or unpack it yourself", .path.display())]
    Expands {
        /// The file.
        path: PathBuf,
        /// How far it had come.
        expanded: Expanded,
    },
    /// The first four bytes are not those of the format.
    #[error("{}: expected the IDX magic {expected:08x} ({meaning}), found {found:08x}; is it another file?", .path.display())]
    Magic {
        /// The file.
        path: PathBuf,
        /// The magic number expected.
        expected: u32,
        /// What that number stands for.
        meaning: &'static str,
        /// The number found.
        found: u32,
    },
    /// The file ends too early.
    #[error("{}: expected {expected} bytes, found the end after {found}; it is truncated, download it again", .path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes expected, after unpacking.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// The file goes on after its end.
    #[error("{}: expected {expected} bytes, found more; it is damaged or another file", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Bytes expected, after unpacking.
        expected: u64,
    },
    /// A header that claims no data, or more than memory can address.
    #[error("{}: expected dimensions of 1 to {limit} values in all, found {dims:?}", .path.display())]
    Dimensions {
        /// The file.
        path: PathBuf,
        /// The dimensions its header gives.
        dims: Vec<u32>,
        /// The largest number of values accepted.
        limit: u64,
    },
    /// A label that is no class.
    #[error("{}: expected labels of 0 to {}, found {label} at position {position}; for files with other classes set `data` to the path of their folder", .path.display(), .classes - 1)]
    Label {
        /// The file.
        path: PathBuf,
        /// Index of the label, from 0.
        position: usize,
        /// The label.
        label: u16,
        /// The number of classes.
        classes: usize,
    },
    /// Images and labels that do not belong together.
    #[error("{}: expected as many labels as {} has images ({images}), found {labels}", .labels_path.display(), .images_path.display())]
    Count {
        /// The file of the images.
        images_path: PathBuf,
        /// The number of images.
        images: usize,
        /// The file of the labels.
        labels_path: PathBuf,
        /// The number of labels.
        labels: usize,
    },
    /// Files of one's own that cannot be understood.
    #[error("{}: expected {expected}, found {found}; {advice}", .path.display())]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// What should be there.
        expected: Box<str>,
        /// What is there.
        found: String,
        /// What to do.
        advice: Box<str>,
    },
    /// Files or rows of one's own that cannot be read, where nothing is left out.
    #[error("{first}; files or rows that cannot be read: {count}; mend them, or choose `broken` skip")]
    Broken {
        /// The first of them, with what is wrong.
        first: String,
        /// How many there are.
        count: usize,
    },
    /// The newest of several files for one thing is broken.
    #[error("{error}; {others} is there too, and older: remove the broken file, and it is read")]
    Beside {
        /// What is wrong with the newest.
        error: Box<Self>,
        /// The others.
        others: String,
    },
    /// A picture that could be read when the run began.
    #[error("{}: {reason}", .path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Test images of another size than the training images.
    #[error("{}: expected images of {expected} as in the training set, found {found}", .path.display())]
    Shape {
        /// The file of the test images.
        path: PathBuf,
        /// Size of the training images.
        expected: String,
        /// Size of the test images.
        found: String,
    },
}
