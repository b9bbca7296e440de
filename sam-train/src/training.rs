//! Training runs: settings, the loop, checkpoints.
//!
//! The loop ([`trainer::Trainer`]) knows data and time; a [`learner::Learner`] knows a network and an optimizer. There
//! is one learner for each backend, [`cpu::CpuLearner`] and `cuda::CudaLearner`; [`backend`] chooses.

pub mod ascent;
pub mod average;
pub mod backend;
pub mod base;
pub mod batch_sizes;
pub mod checkpoint;
pub mod choice;
pub mod config;
mod counters;
pub mod cpu;
#[cfg(all(feature = "cuda", target_os = "linux", target_arch = "x86_64"))]
pub mod cuda;
#[cfg(not(all(feature = "cuda", target_os = "linux", target_arch = "x86_64")))]
#[path = "training/no_cuda.rs"]
pub mod cuda;
pub mod data_facts;
mod decay_in;
pub mod evaluated;
pub mod history;
pub mod host_batches;
mod invalid_setting;
pub mod kernel_choice;
pub mod last_batch;
pub mod learner;
pub mod memory;
pub mod method;
pub mod metrics;
pub mod model;
pub mod nonfinite;
mod norm_exponent;
pub mod overlap;
pub mod own_network;
mod pairs;
pub mod precision;
mod random_layers;
pub mod range;
pub mod settings;
pub mod shard_state;
pub mod start;
pub mod state;
mod tensors;
mod text;
pub mod trainer;
