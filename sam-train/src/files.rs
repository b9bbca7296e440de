//! Writing files so that a reader, or a run after a crash, finds the old content or the new, never a part.

mod disk;

pub use disk::{Disk, SystemDisk};

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A file or directory that could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be {action}: {source}", .path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What was tried, as a participle.
    pub action: &'static str,
    /// Why it failed.
    pub source: io::Error,
}

impl FileError {
    /// For `map_err`: the error of doing `action` with `path`.
    pub fn of(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { path: path.to_owned(), action, source }
    }
}

/// Claims the directory `path` for this process until the file returned is dropped or the process ends, however it
/// ends. `None`: another process has claimed it.
///
/// # Errors
/// [`FileError`], when the directory cannot be opened, or is on a file system without locks.
pub fn lock_directory(path: &Path) -> Result<Option<File>, FileError> {
    let directory = File::open(path).map_err(FileError::of(path, "opened"))?;
    match directory.try_lock() {
        Ok(()) => Ok(Some(directory)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(FileError::of(path, "locked")(error)),
    }
}

/// Whether anything is at `path`, a broken link included: something that may not be taken for nothing.
pub fn present(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Creates the directory `path` with its parents, if it is not there.
///
/// # Errors
/// [`FileError`], when it cannot be created.
pub fn create_directory(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(FileError::of(path, "created"))
}

/// Replaces the content of `path` in one step: written beside it, flushed to the disk, renamed over it, and the rename
/// flushed too.
///
/// # Errors
/// [`FileError`]; `path` is then as it was, unless the very last flush failed: then it has the new content, and after
/// a crash the old or the new.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), FileError> {
    replace_on(&SystemDisk, path, content)
}

/// [`replace`] on a disk of the caller's.
///
/// # Errors
/// As [`replace`].
pub fn replace_on<D: Disk>(disk: &D, path: &Path, content: &[u8]) -> Result<(), FileError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = write_durably(disk, &part, content).and_then(|()| disk.rename(&part, path));
    if let Err(source) = written {
        // Best effort: what stopped the writing may stop this too.
        let _ = disk.remove(&part);
        return Err(FileError { path: path.to_owned(), action: "written", source });
    }
    let directory = path.parent().filter(|directory| *directory != Path::new("")).unwrap_or(Path::new("."));
    disk.sync_directory(directory).map_err(FileError::of(directory, "flushed to the disk"))
}

fn write_durably<D: Disk>(disk: &D, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = disk.create(path)?;
    file.write_all(content)?;
    disk.sync(&file)
}

/// Appends one line to `path`, which is created if need be, and flushes it to the disk.
///
/// # Errors
/// [`FileError`], when it cannot be written.
pub fn append_line(path: &Path, line: &str) -> Result<(), FileError> {
    let append = || {
        let mut file = File::options().append(true).create(true).open(path)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()
    };
    append().map_err(FileError::of(path, "written"))
}
