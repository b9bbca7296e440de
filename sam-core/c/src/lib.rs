//! C interface of `sam-core`: a step in halves, for callers that own the loop, in memory that they lend.
//!
//! `sam_core.h` is what C programs see and `README.md` says how to use it. Nothing allocates, nothing panics; `build` proves
//! both by a link.
//!
//! # What callers keep to
//!
//! Every function checks what can be checked: pointers that are null, not aligned or overlap, lengths, settings, the order of calls.
//! What it cannot check is the caller's duty:
//!
//! - A pointer to numbers points to as many of them as `init` was given (or the function's own length says), initialised where they are read.
//! - The memory and the buffer that `init` was given stay lent as long as the handle is used, and nobody else writes to them. Between
//!   two calls anybody may read the buffer.
//! - A handle comes from `init`, and is used by one thread at a time.
#![no_std]

mod border;
mod f32;
mod f64;
mod handle;
mod lent;
mod method;
#[cfg(sam_core_c_alone)]
mod no_panic;
mod settings;
mod status;

pub use f32::*;
pub use f64::*;
pub use settings::*;
pub use status::*;
