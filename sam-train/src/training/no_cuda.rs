//! In place of the CUDA backend where the program is built without.

use std::rc::Rc;

use sam_model::ImageShape;

use super::{
    kernel_choice::KernelChoice,
    learner::{Learner, LearnerError},
    precision::Precision,
    settings::Settings,
};
use crate::ranks::Ranks;

/// There is none.
#[derive(Debug, Clone)]
pub enum Device {}

impl Device {
    /// # Errors
    /// Never called: nobody has a device.
    pub fn with_precision(self, _: Precision) -> Result<Self, LearnerError> {
        match self {}
    }

    /// # Errors
    /// Never called: nobody has a device.
    pub fn with_kernels(self, _: KernelChoice) -> Result<Self, LearnerError> {
        match self {}
    }
}

/// This program was built without the CUDA backend.
#[derive(Debug, thiserror::Error)]
#[error(
    "`backend` cuda: expected a build with the feature cuda on Linux x86-64, found one without; use `backend` cpu"
)]
struct NoCuda;

/// # Errors
/// Always.
pub fn check(_: &Settings) -> Result<(), LearnerError> {
    open(0).map(|device| match device {})
}

/// # Errors
/// Always.
pub fn open(_: u32) -> Result<Device, LearnerError> {
    Err(LearnerError::backend(NoCuda))
}

/// # Errors
/// Never called: nobody has a device.
pub fn learner(
    device: &Device,
    _: &Settings,
    _: ImageShape,
    _: usize,
    _: Rc<dyn Ranks>,
) -> Result<Box<dyn Learner>, LearnerError> {
    match *device {}
}
