//! Training through the library: methods and bases, runs, what resumes them, what spoils them, and what is measured on trained networks.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod analysis;
mod authors;
mod averages;
mod bases;
mod divergence;
mod doubts;
mod experiments;
mod interrupted;
mod methods;
mod mixed;
mod resume;
mod runs;
mod steps;
mod support;
