#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
// What is exported has room to grow, or says why it shall not.
#![warn(missing_debug_implementations, clippy::exhaustive_enums, clippy::exhaustive_structs)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "testkit")]
extern crate std;

mod algebra;
pub mod ascent;
pub mod average;
#[cfg(feature = "alloc")]
mod boxed;
pub mod combination;
pub mod descent;
mod directed;
mod error;
pub mod formula;
mod guard;
mod half;
mod looksam;
mod method;
pub mod multi_step;
mod noise;
mod oracle;
mod real;
mod rule;
mod sam;
pub mod schedule;
pub mod second_order;
mod segment;
mod setting;
pub mod single;
mod slice;
mod space;
mod state;
pub mod tensors;
#[cfg(feature = "testkit")]
pub mod testkit;
mod variant;

pub use algebra::GradientAlgebra;
pub use ascent::bayesian::Bayesian;
pub use ascent::friendly::Friendly;
pub use ascent::magnitude::ByMagnitude;
pub use ascent::stochastic::Stochastic;
pub use ascent::{AlongGradient, AscentRule};
pub use average::Average;
pub use combination::gsam::Gsam;
pub use combination::precision::PrecisionFromClean;
pub use combination::wsam::{DecoupledWsam, Wsam};
pub use combination::{Combination, PerturbedOnly};
pub use descent::adam::Adam;
pub use descent::clip::Clipped;
pub use descent::lion::Lion;
pub use descent::rmsprop::RmsProp;
pub use descent::sgd::{Sgd, SgdUpdate};
pub use descent::variational::VariationalNewton;
pub use descent::{Descent, LearningRate, Momentum, Precision, WeightDecay};
pub use directed::DirectedAscent;
pub use error::{BufferedError, LengthMismatch, StepError};
pub use half::{Half, HalfResult, Next};
pub use looksam::{LookSam, Reuse};
pub use method::{Method, MethodResult};
pub use multi_step::{MultiStepSam, RepeatedAscent};
pub use oracle::counting::CountingOracle;
pub use oracle::curvature::CurvatureRegularized;
pub use oracle::gsam_gradient::GsamGradient;
pub use oracle::loss::{Loss, Unseen};
pub use oracle::mini_batch::{MicroBatches, MiniBatch, SamGradient};
pub use oracle::penalty::Penalty;
pub use oracle::selection::{SampleLosses, SelectedSamples};
pub use oracle::split::SplitOracle;
pub use oracle::{FnOracle, GradientOracle, Pass, Ready};
pub use real::Real;
pub use rule::{InvalidExponent, Norm, Rule};
pub use sam::{DescendResult, Descended, Outcome, Perturbed, Sam, Step, StepResult};
pub use schedule::Schedule;
pub use second_order::difference::FiniteDifference;
pub use second_order::{DifferentiableAscent, HessianVector, NextProduct, ProductHalf, SecondOrderSam};
pub use segment::{Scope, Segment, SegmentedSpace};
pub use setting::InvalidSetting;
pub use single::momentum::MomentumSam;
pub use single::plain::Plain;
pub use single::random::{Gaussian, RandomSam};
pub use single::{SingleStep, SingleStepResult};
pub use slice::SliceSpace;
pub use space::{CleanGradient, ParamSpace, Verdict};
pub use state::{Sink, Source, State, StateBuffer, Values, ValuesMut};
pub use tensors::{EachTensor, EachTensorError, TensorMismatch, TensorSpace, Tensors};
pub use variant::Variant;
