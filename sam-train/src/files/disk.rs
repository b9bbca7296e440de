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

    /// Opens a new file at `path` that is to take the place of `replaced`, with the permissions of that if it is there. A
    /// file or link that an earlier process left at `path` is removed, not followed.
    ///
    /// # Errors
    /// The file system's.
    fn create(&self, path: &Path, replaced: &Path) -> io::Result<Self::File>;

    /// Opens the file at `path` so that what is written is added at its end; creates it if need be.
    ///
    /// # Errors
    /// The file system's.
    fn append(&self, path: &Path) -> io::Result<Self::File>;

    /// Creates the directory `path`, whose parent is there. Returns whether it was not there before.
    ///
    /// # Errors
    /// The file system's.
    fn create_directory(&self, path: &Path) -> io::Result<bool>;

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

    fn create(&self, path: &Path, replaced: &Path) -> io::Result<File> {
        match fs::symlink_metadata(path) {
            Ok(left) if left.is_file() || left.is_symlink() => fs::remove_file(path)?,
            // Whatever else is there keeps the file from being created.
            _ => {}
        }
        let permissions = fs::metadata(replaced).map(|replaced| replaced.permissions()).ok();
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if permissions.is_some() {
            use std::os::unix::fs::OpenOptionsExt;
            // Nobody else reads it before it has the permissions that it shall have.
            options.mode(0o600);
        }
        let file = options.open(path)?;
        permissions.map_or(Ok(()), |permissions| file.set_permissions(permissions))?;
        Ok(file)
    }

    fn append(&self, path: &Path) -> io::Result<File> {
        File::options().append(true).create(true).open(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<bool> {
        match fs::create_dir(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
            Err(error) => Err(error),
        }
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
