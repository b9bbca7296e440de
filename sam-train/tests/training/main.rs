//! Training through the library: runs, what resumes them, and what spoils them.

#![allow(clippy::unwrap_used)]

mod averages;
mod divergence;
mod doubts;
mod interrupted;
mod resume;
mod runs;
mod support;
