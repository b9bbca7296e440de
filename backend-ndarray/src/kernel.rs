//! What this machine multiplies with: micro-kernels in its vector instructions, what they read, and the caches that it has. They know
//! numbers by their arithmetic alone.

mod caches;
mod micro;
mod table;
mod vectors;

pub use caches::Caches;
pub use micro::{COLUMNS, Initial, MOST_PANELS, MOST_ROWS, MicroKernels, Operands};
pub use table::{Run, Runs};
#[cfg(target_arch = "x86_64")]
pub use vectors::Set;
pub use vectors::{UnknownVectors, Vectors, arithmetic};
