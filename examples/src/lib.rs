//! Train, compare and measure with Sharpness-Aware Minimization: what the `sam` command is made of.

pub mod cli;
pub mod data;
pub mod experiment;
pub mod files;
pub mod interrupt;
pub mod json;
pub mod random;
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
