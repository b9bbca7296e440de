//! A folder of files for readers that take paths.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
};

/// A folder that ends with the check.
pub struct Folder(PathBuf);

impl Folder {
    /// One of this process, for the target `name`.
    pub fn new(name: &str) -> Self {
        Self(env::temp_dir().join(format!("sam-fuzz-{name}-{}", process::id())))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, with the folders that it lies in; returns where.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder for files");
        fs::write(&path, bytes).expect("a file that can be written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
