//! What writing a file durably asks of a file system, so that tests can put one that fails in its place.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::Path,
};

/// The operations, each of which may fail or be the last before a crash.
///
/// After a crash, content that was not synced is lost in part or in whole, and a rename whose directory was not synced
/// may have happened or not.
pub trait Disk {
    /// A file open for writing.
    type File: Write;

    /// Opens an empty file at `path`, in place of what is there.
    ///
    /// # Errors
    /// The file system's.
    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// Makes the content written so far survive a crash.
    ///
    /// # Errors
    /// The file system's; what was written may then be lost, whatever a later sync says.
    fn sync(&self, file: &Self::File) -> io::Result<()>;

    /// Puts the file `from` in the place of `to`, in one step.
    ///
    /// # Errors
    /// The file system's; both are then as they were.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes renames within `directory` survive a crash.
    ///
    /// # Errors
    /// The file system's.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The file system's.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The operating system's file systems.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    type File = File;

    fn create(&self, path: &Path) -> io::Result<File> {
        File::create(path)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Does nothing where directories cannot be synced: there the file system orders renames by itself, or no program
    /// can.
    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        if cfg!(not(unix)) {
            return Ok(());
        }
        match File::open(directory)?.sync_all() {
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
            other => other,
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}
