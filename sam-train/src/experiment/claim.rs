//! A directory of runs, claimed for one process.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::ExperimentError;
use crate::{
    files::{self, FileError},
    observer::{Event, Host},
    training::trainer::Trainer,
};

/// As long as it lives no other process works in the directory, however this one ends.
pub struct Claim {
    path: PathBuf,
    /// The directory's lock; none where there are no locks.
    lock: Option<File>,
}

impl Claim {
    /// Creates `path` if need be and claims it. Without locks the work goes on, and the observer is told.
    ///
    /// # Errors
    /// [`ExperimentError::Locked`], when another process has claimed it; [`ExperimentError::File`].
    pub fn new(path: &Path, host: Host<'_>) -> Result<Self, ExperimentError> {
        files::create_directory(path)?;
        let lock = match files::lock_directory(path) {
            Ok(None) => return Err(ExperimentError::Locked { path: path.to_owned() }),
            Ok(locked) => locked,
            Err(error) => {
                host.tell(&Event::Unlocked { error: &error })?;
                None
            }
        };
        let claim = Self { path: path.to_owned(), lock };
        // It may have been removed between the two.
        claim.check()?;
        Ok(claim)
    }

    /// Writes where a run stands to a file of the directory, and what its epochs gave beside it; after that to `copy` too, if there
    /// is one.
    ///
    /// # Errors
    /// As [`Claim::check`], [`Trainer::encode`], and when a file cannot be written.
    pub fn save(
        &self,
        trainer: &mut Trainer<'_>,
        path: &Path,
        copy: Option<&Path>,
    ) -> Result<(), ExperimentError> {
        let content = trainer.encode(path)?;
        // At the last moment: to make the content takes longer than to write it.
        self.write(path, |path| trainer.write(path, &content))?;
        copy.map_or(Ok(()), |copy| self.write(copy, |copy| files::replace(copy, &content)))
    }

    /// Writes to the file `path` of the directory, as `write` does it with the path that it is given.
    ///
    /// # Errors
    /// As [`Claim::check`], and those of `write`.
    pub fn write(
        &self,
        path: &Path,
        write: impl FnOnce(&Path) -> Result<(), FileError>,
    ) -> Result<(), ExperimentError> {
        self.check()?;
        let open = self.open_directory();
        let moved = |path: &Path, from: &Path, to: &Path| {
            path.strip_prefix(from).map_or_else(|_| path.to_owned(), |name| to.join(name))
        };
        write(&moved(path, &self.path, &open)).or_else(|error| {
            // A file that cannot be written since its directory is gone: that is what is wrong.
            self.check()?;
            Err(FileError { path: moved(&error.path, &open, &self.path), ..error }.into())
        })
    }

    /// A path to the directory that was claimed, whatever is at its own path by now: on Linux, whose `/proc` has a name for
    /// what is open. Elsewhere it is its own path, and what [`Claim::check`] found has to do.
    fn open_directory(&self) -> PathBuf {
        #[cfg(target_os = "linux")]
        if let Some(directory) = &self.lock {
            use std::os::fd::AsRawFd;
            let open = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
            if open.is_dir() {
                return open;
            }
        }
        self.path.clone()
    }

    /// Makes sure, before something is written, that the directory of this path is still the one that was claimed.
    ///
    /// # Errors
    /// [`ExperimentError::Replaced`] if it was removed since, or another was put in its place.
    pub fn check(&self) -> Result<(), ExperimentError> {
        match &self.lock {
            Some(lock) if !files::is_of(lock, &self.path) => {
                Err(ExperimentError::Replaced { path: self.path.clone() })
            }
            _ => Ok(()),
        }
    }
}
