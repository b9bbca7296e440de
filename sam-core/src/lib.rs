#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

pub mod descent;
mod error;
pub mod kernel;
#[cfg(feature = "model")]
pub mod model;
mod oracle;
mod real;
mod rule;
mod sam;
pub mod schedule;
mod slice;
mod space;
mod state;

pub use descent::adam::Adam;
pub use descent::clip::Clipped;
pub use descent::lion::Lion;
pub use descent::rmsprop::RmsProp;
pub use descent::sgd::Sgd;
pub use descent::{Descent, LearningRate, Momentum, WeightDecay};
pub use error::{LengthMismatch, StepError};
pub use oracle::counting::CountingOracle;
pub use oracle::{FnOracle, GradientOracle, Pass};
pub use real::Real;
pub use rule::{InvalidExponent, Norm, Rule};
pub use sam::{DescendResult, Descended, Outcome, Perturbed, Sam, Step, StepResult};
pub use schedule::Schedule;
pub use slice::SliceSpace;
pub use space::{ParamSpace, Verdict};
pub use state::{State, Words, WordsMut};
