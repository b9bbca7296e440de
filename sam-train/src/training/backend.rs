//! Where networks are computed, chosen when a command starts.

use std::{borrow::Cow, fmt, str::FromStr};

use sam_core::Pass;
use sam_model::ImageShape;
use serde::{Deserialize, Serialize};

use super::{
    average::{Averaged, Which},
    cpu::CpuLearner,
    cuda,
    kernels::{ChosenKernels, Kernels},
    learner::{Batch, Chosen, Evaluation, Learner, LearnerError, StepReport, TrainingImages},
    nonfinite::Origin,
    precision::Precision,
    settings::Settings,
    state::State,
};

/// A backend by its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendName {
    /// `sam-backend-ndarray`.
    #[default]
    Cpu,
    /// `sam-backend-cuda`.
    Cuda,
}

impl BackendName {
    /// Makes sure that the backend has what `settings` ask for, before anything is loaded.
    ///
    /// # Errors
    /// [`LearnerError::Backend`], which names what it has, if not.
    pub fn check(self, settings: &Settings) -> Result<(), LearnerError> {
        match self {
            Self::Cpu => Ok(()),
            Self::Cuda => cuda::check(settings),
        }
    }

    /// How much of a learner's memory is the host's.
    pub fn on_host(self, learner_bytes: u128) -> u128 {
        match self {
            Self::Cpu => learner_bytes,
            Self::Cuda => 0,
        }
    }
}

impl FromStr for BackendName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            _ => Err("expected cpu or cuda"),
        }
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        })
    }
}

/// A backend that is ready to build networks.
#[derive(Debug, Clone)]
pub enum Backend {
    /// The processor, with so many threads for a network.
    Cpu {
        /// The number of threads.
        threads: usize,
    },
    /// A GPU.
    Cuda(cuda::Device),
}

impl Backend {
    /// Opens the backend `name`; `threads` are the processor's for each network.
    ///
    /// # Errors
    /// [`LearnerError::Backend`] without a GPU, or in a build without the backend.
    pub fn open(name: BackendName, threads: usize) -> Result<Self, LearnerError> {
        match name {
            BackendName::Cpu => Ok(Self::Cpu { threads }),
            BackendName::Cuda => cuda::open().map(Self::Cuda),
        }
    }

    /// Its networks multiply in `precision`.
    ///
    /// # Errors
    /// [`LearnerError::Backend`], when it cannot.
    pub fn with_precision(self, precision: Precision) -> Result<Self, LearnerError> {
        match (self, precision) {
            (own, Precision::F32) => Ok(own),
            (Self::Cpu { .. }, _) => Err(LearnerError::backend(OnlyOnTensorCores(precision))),
            (Self::Cuda(device), _) => device.with_precision(precision).map(Self::Cuda),
        }
    }

    /// Its networks' products are computed by the kernels of whom `kernels` says.
    ///
    /// # Errors
    /// [`LearnerError::Backend`], when they are not there.
    pub fn with_kernels(self, kernels: Kernels) -> Result<Self, LearnerError> {
        match (self, kernels) {
            (Self::Cpu { .. }, Kernels::Vendor) => Err(LearnerError::backend(OnlyOnGpus)),
            (own @ Self::Cpu { .. }, _) => Ok(own),
            (Self::Cuda(device), _) => device.with_kernels(kernels).map(Self::Cuda),
        }
    }

    /// A freshly initialised learner.
    ///
    /// # Errors
    /// [`LearnerError::Backend`], when the network cannot be built.
    pub fn learner(
        &self,
        settings: &Settings,
        shape: ImageShape,
        classes: usize,
    ) -> Result<AnyLearner, LearnerError> {
        match self {
            Self::Cpu { threads } => {
                CpuLearner::new(settings, shape, classes, *threads).map(|own| AnyLearner(Box::new(own)))
            }
            Self::Cuda(device) => cuda::learner(device, settings, shape, classes).map(AnyLearner),
        }
    }
}

/// The processor has no tensor cores.
#[derive(Debug, thiserror::Error)]
#[error("`precision` {0}: expected `backend` cuda, found cpu, which has f32 only")]
struct OnlyOnTensorCores(Precision);

/// The processor has kernels of our own only.
#[derive(Debug, thiserror::Error)]
#[error("`kernels` vendor: expected `backend` cuda, found cpu, which has native ones only")]
struct OnlyOnGpus;

/// A learner of whichever backend.
pub struct AnyLearner(Box<dyn Learner>);

impl Learner for AnyLearner {
    fn step(&mut self, batch: Batch<'_>, rate: f32) -> Result<StepReport, LearnerError> {
        self.0.step(batch, rate)
    }

    fn take_images(&mut self, images: &TrainingImages<'_>) -> Result<bool, LearnerError> {
        self.0.take_images(images)
    }

    fn step_on(&mut self, chosen: Chosen<'_>, rate: f32) -> Result<StepReport, LearnerError> {
        self.0.step_on(chosen, rate)
    }

    fn evaluate(&mut self, batch: Batch<'_>) -> Result<Evaluation, LearnerError> {
        self.0.evaluate(batch)
    }

    fn export(&mut self) -> Result<State, LearnerError> {
        self.0.export()
    }

    fn import(&mut self, state: &State) -> Result<(), LearnerError> {
        self.0.import(state)
    }

    fn freeze_statistics(&mut self) -> Result<(), LearnerError> {
        self.0.freeze_statistics()
    }

    fn parameter_count(&self) -> usize {
        self.0.parameter_count()
    }

    fn add_to_average(&mut self, which: Which) -> Result<(), LearnerError> {
        self.0.add_to_average(which)
    }

    fn average(&mut self, which: Which) -> Result<Option<Averaged>, LearnerError> {
        self.0.average(which)
    }

    fn parameters(&mut self) -> Result<Cow<'_, [f32]>, LearnerError> {
        self.0.parameters()
    }

    fn statistics(&mut self) -> Result<Cow<'_, [f32]>, LearnerError> {
        self.0.statistics()
    }

    fn set_parameters(&mut self, parameters: &[f32], statistics: &[f32]) -> Result<(), LearnerError> {
        self.0.set_parameters(parameters, statistics)
    }

    fn measure(&mut self, batch: Batch<'_>) -> Result<Vec<f32>, LearnerError> {
        self.0.measure(batch)
    }

    fn origin(&self, pass: Pass) -> Option<Origin> {
        self.0.origin(pass)
    }

    fn kernels(&self) -> ChosenKernels {
        self.0.kernels()
    }
}
