//! A directory that one process at a time works in.

#[cfg(not(windows))]
use std::fs::TryLockError;
use std::{fs::File, path::Path};

use super::FileError;

/// Claims the directory `path` for this process until the file returned is dropped or the process ends, however it
/// ends. `None`: another process has claimed it.
///
/// # Errors
/// [`FileError`], when the directory cannot be opened, or is on a file system without locks.
#[cfg(not(windows))]
pub fn lock_directory(path: &Path) -> Result<Option<File>, FileError> {
    let directory = File::open(path).map_err(FileError::of(path, "opened"))?;
    match directory.try_lock() {
        Ok(()) => Ok(Some(directory)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(FileError::of(path, "locked")(error)),
    }
}

/// The same by a file `lock` in the directory that is open to nobody else and goes when it is closed: Windows locks no directory.
#[cfg(windows)]
pub fn lock_directory(path: &Path) -> Result<Option<File>, FileError> {
    use std::os::windows::fs::OpenOptionsExt;
    const GENERIC_WRITE: u32 = 0x4000_0000;
    const DELETE: u32 = 0x0001_0000;
    const FILE_FLAG_DELETE_ON_CLOSE: u32 = 0x0400_0000;
    const ERROR_SHARING_VIOLATION: i32 = 32;
    let mut options = File::options();
    options.write(true).create(true).access_mode(GENERIC_WRITE | DELETE);
    options.share_mode(0).custom_flags(FILE_FLAG_DELETE_ON_CLOSE);
    let lock = path.join("lock");
    match options.open(&lock) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(None),
        Err(error) => Err(FileError::of(&lock, "locked")(error)),
    }
}

/// Whether `path` still leads to the directory that `lock` was returned for.
#[cfg(unix)]
pub fn is_of(lock: &File, path: &Path) -> bool {
    use std::{fs, os::unix::fs::MetadataExt};
    let identity = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    match (lock.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(there)) => identity(&open) == identity(&there),
        _ => false,
    }
}

/// Whether `path` still leads to a directory: one with an open file in it is neither removed nor renamed on Windows, and other systems do
/// not tell.
#[cfg(not(unix))]
pub fn is_of(_: &File, path: &Path) -> bool {
    path.is_dir()
}
