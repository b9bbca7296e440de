//! Training runs: settings, the loop, checkpoints.
//!
//! The loop ([`trainer::Trainer`]) knows data and time; a [`learner::Learner`] knows a network and an optimizer. There
//! is one learner for each backend, here [`cpu::CpuLearner`].

pub mod checkpoint;
pub mod config;
pub mod cpu;
pub mod learner;
pub mod memory;
pub mod metrics;
pub mod nonfinite;
pub mod settings;
pub mod state;
pub mod trainer;
