//! Runs on several ranks, which are threads here: the same bits for any number of them, and one end for all.

#![allow(clippy::unwrap_used)]

mod ends;
mod experiments;
mod memory;
mod nonfinite;
mod overlap;
mod shards;
mod steps;
mod threads;
