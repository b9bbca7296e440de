//! Train, compare and measure with Sharpness-Aware Minimization: what the `sam` command is made of.
//!
//! ```text
//! files --data--> Dataset --> batches --> training: Trainer <---> Learner: a backend's network,
//!                 bytes       n x h x w x c, f32    |              sam-core's method, base optimizer
//!                                                   |
//!                       checkpoint, metrics.jsonl <-'-> experiment: one run, many runs, timed steps
//!                       files: old or new, never half             |
//!                                                                 '--> report: tables, pictures
//! ```
//!
//! Without the feature `command` there are [`data`] and what it needs, for other programs that want the images.

#[cfg(feature = "command")]
pub mod analysis;
#[cfg(feature = "command")]
pub mod command;
pub mod data;
#[cfg(feature = "command")]
pub mod experiment;
pub mod files;
#[cfg(feature = "command")]
pub mod interrupt;
#[cfg(feature = "command")]
pub mod json;
pub mod random;
#[cfg(feature = "command")]
pub mod report;
#[cfg(feature = "command")]
pub mod training;

/// Lower-case hexadecimal digits of `bytes`.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The examples of the project's README are tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
