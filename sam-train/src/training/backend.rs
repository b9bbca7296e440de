//! Where networks are computed, chosen when a command starts.

use std::rc::Rc;

use sam_model::ImageShape;
use serde::{Deserialize, Serialize};

use super::{
    cpu::CpuLearner,
    cuda,
    kernel_choice::KernelChoice,
    learner::{Learner, LearnerError},
    precision::Precision,
    settings::Settings,
};
use crate::{
    named::named,
    ranks::{Alone, Ranks},
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

named!(BackendName, "expected cpu or cuda", Cpu = "cpu", Cuda = "cuda");

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

/// GPUs are numbered, processors are not.
#[derive(Debug, thiserror::Error)]
#[error(
    "`device`: expected `backend` cuda with the GPU number {0}, found cpu; use `backend` cuda or leave it out"
)]
struct OneProcessor(u32);

impl Backend {
    /// Opens the backend `name`; `threads` are the processor's for each network.
    ///
    /// # Errors
    /// [`LearnerError::Backend`] without a GPU, or in a build without the backend.
    pub fn open(name: BackendName, threads: usize) -> Result<Self, LearnerError> {
        Self::open_at(name, 0, threads)
    }

    /// The same on the GPU number `device`, as the driver counts them from 0 on.
    ///
    /// # Errors
    /// As [`Backend::open`]; [`LearnerError::Backend`] for a number other than 0 of a backend that has no GPUs.
    pub fn open_at(name: BackendName, device: u32, threads: usize) -> Result<Self, LearnerError> {
        match name {
            BackendName::Cpu if device != 0 => Err(LearnerError::backend(OneProcessor(device))),
            BackendName::Cpu => Ok(Self::Cpu { threads }),
            BackendName::Cuda => cuda::open(device).map(Self::Cuda),
        }
    }

    /// The same for one of several `ranks`: each has a GPU for itself, those of a machine the ones from the number `device` on.
    ///
    /// # Errors
    /// As [`Backend::open_at`].
    pub fn open_on(
        name: BackendName,
        device: u32,
        threads: usize,
        ranks: &dyn Ranks,
    ) -> Result<Self, LearnerError> {
        match name {
            BackendName::Cpu => Self::open_at(name, device, threads),
            BackendName::Cuda => {
                let behind = u32::try_from(ranks.place_on_this_machine()).unwrap_or(u32::MAX);
                Self::open_at(name, device.saturating_add(behind), threads)
            }
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
    pub fn with_kernels(self, kernels: KernelChoice) -> Result<Self, LearnerError> {
        match (self, kernels) {
            (Self::Cpu { .. }, KernelChoice::Vendor) => Err(LearnerError::backend(OnlyOnGpus)),
            (own @ Self::Cpu { .. }, _) => Ok(own),
            (Self::Cuda(device), _) => device.with_kernels(kernels).map(Self::Cuda),
        }
    }

    /// A freshly initialised learner as one of several `ranks`, all of which build one.
    ///
    /// # Errors
    /// As [`Backend::learner`], and when the ranks cannot share out the groups of `settings`.
    pub fn learner_on(
        &self,
        settings: &Settings,
        shape: ImageShape,
        classes: usize,
        ranks: &Rc<dyn Ranks>,
    ) -> Result<Box<dyn Learner>, LearnerError> {
        match self {
            Self::Cpu { threads } => {
                let learner = CpuLearner::on_ranks(settings, shape, classes, *threads, Rc::clone(ranks));
                Ok(Box::new(learner?))
            }
            Self::Cuda(device) => cuda::learner(device, settings, shape, classes, Rc::clone(ranks)),
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
    ) -> Result<Box<dyn Learner>, LearnerError> {
        match self {
            Self::Cpu { threads } => Ok(Box::new(CpuLearner::new(settings, shape, classes, *threads)?)),
            Self::Cuda(device) => cuda::learner(device, settings, shape, classes, Alone::shared()),
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
