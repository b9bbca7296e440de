//! Train, compare and measure with Sharpness-Aware Minimization: what the `sam` command is made of.

#[cfg(feature = "command")]
pub mod cli;
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
