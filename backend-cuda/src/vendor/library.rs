//! Finding a shared library, and its functions.

#![allow(unsafe_code, reason = "opens libraries")]

use core::{
    ffi::{CStr, c_char},
    fmt,
};
use std::{env, error::Error, ffi::OsStr, fs, path::PathBuf};

use libloading::Library;

use crate::{CudaError, Device};

/// Folders where the libraries are looked for, and no others, with colons between.
pub(super) const VARIABLE: &str = "SAM_CUDA_LIB_DIR";

/// What is looked for.
pub(super) struct Wanted {
    /// As its makers write it.
    pub name: &'static str,
    /// File names, the first that is found is taken.
    pub files: &'static [&'static str],
    /// Folders that a Python package puts it into, below `site-packages/nvidia`.
    pub folders: &'static [&'static str],
    /// How to get it.
    pub package: &'static str,
}

impl Wanted {
    /// Opens the library; else what was looked for and why it was not found, in one line.
    pub fn open(&self) -> Result<Library, String> {
        let (mut refusals, mut absent) = (Vec::new(), Vec::new());
        for path in self.candidates() {
            // A name without a folder is the loader's own search; a file that is not there needs no loader to say so.
            if path.components().count() > 1 && !path.exists() {
                absent.push(path.display().to_string());
                continue;
            }
            // SAFETY: NVIDIA's libraries, and what the user puts in their place, may be loaded: their initialisers expect
            // nothing of the program.
            match unsafe { Library::new(&path) } {
                Ok(library) => return Ok(library),
                Err(error) => refusals.push(error.source().map_or(error.to_string(), ToString::to_string)),
            }
        }
        if !absent.is_empty() {
            refusals.push(format!("nothing at {}", absent.join(", ")));
        }
        Err(self.missing(&refusals.join(", ")))
    }

    /// What to say where the library can't be used.
    pub fn missing(&self, reason: &str) -> String {
        let Self { name, package, .. } = self;
        format!(
            "no {name} ({reason}): pip install {package} and name the folder of its library in {VARIABLE}"
        )
    }

    /// What to say where the library is there and refuses to work, as without a device.
    pub fn unusable(&self, failure: &Failure) -> String {
        format!("no {} that works here ({failure})", self.name)
    }

    fn candidates(&self) -> Vec<PathBuf> {
        let files = || self.files.iter();
        let within = |folder: PathBuf| files().map(move |file| folder.join(file)).collect::<Vec<_>>();
        if let Some(folders) = env::var_os(VARIABLE).filter(|folders| !folders.is_empty()) {
            return env::split_paths(&folders).flat_map(within).collect();
        }
        let mut candidates: Vec<PathBuf> = files().map(PathBuf::from).collect();
        candidates.extend(within(PathBuf::from("/usr/local/cuda/lib64")));
        for environment in ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(env::var_os) {
            for packages in site_packages(&environment) {
                let folders = self.folders.iter().map(|folder| packages.join("nvidia").join(folder));
                candidates.extend(folders.flat_map(within));
            }
        }
        candidates
    }
}

/// `lib/python3.N/site-packages` of a Python environment.
fn site_packages(environment: &OsStr) -> Vec<PathBuf> {
    let entries = fs::read_dir(PathBuf::from(environment).join("lib")).into_iter().flatten().flatten();
    let pythons = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"));
    let mut found: Vec<_> = pythons.map(|entry| entry.path().join("site-packages")).collect();
    found.sort();
    found
}

/// The function of a name.
///
/// # Safety
/// `T` must be its type.
pub(super) unsafe fn function<T: Copy>(library: &Library, name: &str) -> Result<T, String> {
    // SAFETY: the caller vouches for the type.
    let found = unsafe { library.get::<T>(name) }.map(|symbol| *symbol);
    found.map_err(|error| error.source().map_or(error.to_string(), ToString::to_string))
}

/// The text at an address; empty for null.
///
/// # Safety
/// The address must be null or that of a C string.
pub(super) unsafe fn text(address: *const c_char) -> String {
    if address.is_null() {
        return String::new();
    }
    // SAFETY: the caller vouches for it.
    unsafe { CStr::from_ptr(address) }.to_string_lossy().into_owned()
}

/// A call that a library refuses.
#[derive(Debug)]
pub(super) struct Failure {
    /// The library and its version.
    pub library: String,
    /// The function that was called.
    pub function: &'static str,
    /// The status, and the library's own words for it.
    pub status: String,
    /// Whether that means that the library doesn't have what was asked for.
    pub unsupported: bool,
}

impl Failure {
    /// As an error of this crate's.
    pub fn on(self, device: &Device) -> CudaError {
        CudaError::Driver {
            doing: format!("{}: {}", self.library, self.function),
            code: self.status,
            card: device.card().to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.library, self.function, self.status)
    }
}

/// Functions of a library that return a status, by their names. Their types are compared with cudarc's declarations, which
/// `sys` must be in scope as, but the status comes back as a number.
macro_rules! functions {
    ($(#[$about:meta])* $Functions:ident -> $Status:ty: $(fn $name:ident($($argument:ty),* $(,)?);)*) => {
        $(#[$about])*
        #[allow(non_snake_case, reason = "the library's own names")]
        pub(super) struct $Functions { $(pub $name: unsafe extern "C" fn($($argument),*) -> u32,)* }

        impl $Functions {
            pub(super) fn load(library: &libloading::Library) -> Result<Self, String> {
                Ok(Self { $(
                    // SAFETY: the type is cudarc's, but for the status, an enumeration as large as a `u32`.
                    $name: unsafe { $crate::vendor::library::function(library, stringify!($name))? },
                )* })
            }
        }

        $(const _: unsafe fn($($argument),*) -> $Status = sys::$name;)*
    };
}
pub(super) use functions;
