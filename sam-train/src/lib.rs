//! Train, compare and measure with Sharpness-Aware Minimization: the engine, and the `sam` command made of it.
//!
//! ```text
//! files --data--> Dataset --> batches --> training: Trainer <---> Learner: a backend's network,
//!                 bytes       n x h x w x c, f32    |              sam-core's method, base optimizer
//!                                                   |
//!                       checkpoint, metrics.jsonl <-'-> experiment: one run, many runs, timed steps
//!                       files: old or new, never half             |
//!                                                                 '--> report: tables, figures as data
//! ```
//!
//! A host program follows a run through one trait, [`observer::Observer`]. Errors name settings between backticks, as
//! `config.toml` does; nothing here prints, draws, parses arguments or ends the process but the `command`, which stands
//! on top behind the default feature of that name.

pub mod analysis;
#[cfg(feature = "command")]
pub mod command;
pub mod data;
pub mod doubt;
pub mod experiment;
pub mod export;
pub mod files;
pub mod import;
pub mod interrupt;
pub mod json;
mod named;
pub mod observer;
pub mod random;
pub mod ranks;
pub mod report;
pub mod training;

/// Lower-case hexadecimal digits of `bytes`.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The examples of the project's README are tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
