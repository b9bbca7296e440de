//! Writing files so that a reader, or a run after a crash, finds the old content or the new, never a part.

mod disk;
mod lock;
mod regular;

pub use disk::{Disk, SystemDisk};
pub use lock::{is_of, lock_directory};
pub use regular::{open, read, read_text};

use std::{
    fs,
    io::{self, ErrorKind, Write},
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

/// Whether anything is at `path`, a broken link included: something that may not be taken for nothing.
pub fn present(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Creates the directory `path` with its parents, if it is not there, so that it survives a crash.
///
/// # Errors
/// [`FileError`], when it cannot be created.
pub fn create_directory(path: &Path) -> Result<(), FileError> {
    create_directory_on(&SystemDisk, path)
}

/// Creates the directory `path`, with its parents, unless something of that name is there. Returns whether it did.
///
/// # Errors
/// [`FileError`], when it cannot be created.
pub fn create_new_directory(path: &Path) -> Result<bool, FileError> {
    create_directory(parent(path))?;
    match fs::create_dir(path) {
        Ok(()) => flush_parent(&SystemDisk, path).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(FileError::of(path, "created")(error)),
    }
}

/// [`create_directory`] on a disk of the caller's.
///
/// # Errors
/// As [`create_directory`].
pub fn create_directory_on<D: Disk>(disk: &D, path: &Path) -> Result<(), FileError> {
    let error = FileError::of(path, "created");
    match disk.create_directory(path) {
        Ok(false) => Ok(()),
        Ok(true) => flush_parent(disk, path),
        Err(missing) if missing.kind() == ErrorKind::NotFound && parent(path) != path => {
            let parents = create_directory_on(disk, parent(path));
            // What was asked for is what the error names.
            parents.map_err(|error| FileError { path: path.to_owned(), ..error })?;
            disk.create_directory(path).map_err(error)?;
            flush_parent(disk, path)
        }
        Err(source) => Err(error(source)),
    }
}

/// The directory that `path` is in.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|directory| *directory != Path::new("")).unwrap_or(Path::new("."))
}

/// Makes what was created, removed or renamed beside `path` survive a crash.
fn flush_parent<D: Disk>(disk: &D, path: &Path) -> Result<(), FileError> {
    let directory = parent(path);
    disk.sync_directory(directory).map_err(FileError::of(directory, "flushed to the disk"))
}

/// Replaces the content of `path` in one step: written beside it, flushed to the disk, renamed over it, and the rename
/// flushed too. Permissions stay. What is there must be a regular file, if anything: a link might lead to something that
/// is somebody else's, a device is no file.
///
/// # Errors
/// [`FileError`]; `path` is then as it was, unless the very last flush failed: then it has the new content, and after
/// a crash the old or the new.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), FileError> {
    if let Ok(there) = fs::symlink_metadata(path)
        && !there.is_file()
    {
        let found = match there.file_type() {
            kind if kind.is_symlink() => "a link",
            kind if kind.is_dir() => "a directory",
            _ => "neither file nor directory",
        };
        let cause = format!("expected a regular file, found {found}; name another");
        return Err(FileError::of(path, "written")(io::Error::other(cause)));
    }
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
    let written = write_durably(disk, &part, path, content).and_then(|()| disk.rename(&part, path));
    if let Err(source) = written {
        // Best effort: what stopped the writing may stop this too.
        let _ = disk.remove(&part);
        return Err(FileError { path: path.to_owned(), action: "written", source });
    }
    flush_parent(disk, path)
}

fn write_durably<D: Disk>(disk: &D, part: &Path, replaced: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = disk.create(part, replaced)?;
    file.write_all(content)?;
    disk.sync(&file)
}

/// Appends one line to `path`, which is created if need be, and flushes it to the disk.
///
/// # Errors
/// [`FileError`], when it cannot be written.
pub fn append_line(path: &Path, line: &str) -> Result<(), FileError> {
    append_line_on(&SystemDisk, path, line, !present(path))
}

/// [`append_line`] on a disk of the caller's, where `path` is `new` or not.
///
/// # Errors
/// As [`append_line`].
pub fn append_line_on<D: Disk>(disk: &D, path: &Path, line: &str, new: bool) -> Result<(), FileError> {
    let append = || {
        let mut file = disk.append(path)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        disk.sync(&file)
    };
    append().map_err(FileError::of(path, "written"))?;
    if new { flush_parent(disk, path) } else { Ok(()) }
}
