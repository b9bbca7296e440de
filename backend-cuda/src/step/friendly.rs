//! Friendly SAM's way up.

#![allow(unsafe_code, reason = "launches of kernels")]

use core::borrow::Borrow;
use std::sync::Arc;

use sam_core::{
    AscentRule, Combination, Descent, InvalidSetting, Rule, Sink, Source, State, Values, ValuesMut,
};

use super::{GradientBuffer, variant::OnDevice};
use crate::{CudaError, Device, DeviceNorm, DeviceSpace, DeviceVec, Gradient, Grid};

/// [`sam_core::Friendly`] on the device, with its formula, order of operations and state: the mean of gradients is taken over by a
/// kernel that reads whether the step's gradients were finite, so that nothing waits and a step can be recorded.
///
/// Memory: two words a weight. Traffic: 4 reads and 3 writes a weight more than SAM; 2 reads and 2 writes of them at the end of the
/// step.
#[derive(Debug)]
pub struct CudaFriendly {
    /// Share of the mean that is taken out; its paper uses 1.
    pub sigma: f32,
    /// Share of the mean that stays; its paper uses 0.9 and more.
    pub lambda: f32,
    /// Steps that went through, on the device and, while state is saved or restored, here.
    steps: DeviceVec<u64>,
    counted: u64,
    mean: GradientBuffer,
    /// The mean after this step, if it goes through.
    next: Gradient,
    /// Of the gradient that this step is made with.
    flag: Option<Arc<DeviceVec<u32>>>,
    /// What went wrong where there was no way to say so.
    failure: Option<CudaError>,
}

impl CudaFriendly {
    /// For `len` parameters.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn new(device: &Device, sigma: f32, lambda: f32, len: usize) -> Result<Self, CudaError> {
        Ok(Self {
            sigma,
            lambda,
            steps: DeviceVec::zeros(device, 1)?,
            counted: 0,
            mean: GradientBuffer::zeros(device, len)?,
            next: Gradient::zeros(device, len)?,
            flag: None,
            failure: None,
        })
    }

    /// Takes the mean out of `g`, and makes the next one of it.
    fn split(&mut self, g: &mut Gradient) -> Result<(), CudaError> {
        CudaError::check_length("gradient", self.next.len(), g.len())?;
        let device = self.next.values().device().clone();
        g.values().check_device("gradient", &device)?;
        let n = g.len() as u32;
        let mean: &Gradient = self.mean.borrow();
        let arguments = (
            mean.values().view().ptr(),
            n,
            self.steps.view().ptr(),
            self.sigma,
            self.lambda,
            1.0 - self.lambda,
            self.next.values_mut().view_mut().ptr(),
            g.values_mut().view_mut().ptr(),
        );
        // SAFETY: all three have n entries and are three buffers; the count is a single value.
        unsafe { device.launch(&device.kernels().friendly, Grid::vectors(n, size_of::<f32>()), arguments) }
    }
}

impl<S: DeviceSpace, D> AscentRule<S, D> for CudaFriendly {
    fn ascend(
        &mut self,
        space: &mut S,
        w: &mut DeviceVec<f32>,
        g: &mut Gradient,
        rule: &Rule<f32>,
        _: &D,
    ) -> Result<DeviceNorm, CudaError> {
        self.failure()?;
        self.split(g)?;
        self.flag = Some(Arc::clone(g.flag()));
        let norm = space.dual_norm(w, g, rule)?;
        space.ascend(w, g, rule, &norm)?;
        Ok(norm)
    }

    fn commit(&mut self) {
        let Self { steps, mean, next, flag, failure, .. } = self;
        if let Some(flag) = flag.take() {
            *failure = mean.keep(next, &flag, Some(steps)).err();
        }
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::non_negative("sigma", self.sigma)?;
        InvalidSetting::share("lambda", self.lambda)
    }
}

/// [`sam_core::PerturbedOnly`] on the device: the base optimizer steps along the perturbed gradient alone, and only if the clean one
/// was finite too, which no host has looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CudaPerturbedOnly;

impl<S: DeviceSpace, D: Descent<DeviceVec<f32>, Gradient>> Combination<S, D> for CudaPerturbedOnly {
    fn keep(&mut self, _: &mut S, _: &Gradient) -> Result<(), CudaError> {
        Ok(())
    }

    fn combine(&mut self, space: &mut S, _: &mut Gradient) -> Result<(), CudaError> {
        space.whole().go_on();
        Ok(())
    }
}

/// Nothing outlives a step.
impl State<f32> for CudaPerturbedOnly {
    fn save(&self, _: &mut Sink<'_, f32>) {}

    fn load(&mut self, _: &mut Source<'_, f32>) {}
}

impl OnDevice for CudaPerturbedOnly {}

/// The host's copy.
impl State<f32> for CudaFriendly {
    fn save(&self, sink: &mut Sink<'_, f32>) {
        sink("friendly.steps", Values::Counts(&[self.counted]));
        sink("friendly.mean", Values::Reals(self.mean.as_ref()));
    }

    fn load(&mut self, source: &mut Source<'_, f32>) {
        source("friendly.steps", ValuesMut::Counts(core::slice::from_mut(&mut self.counted)));
        source("friendly.mean", ValuesMut::Reals(self.mean.as_mut()));
    }
}

impl OnDevice for CudaFriendly {
    fn failure(&mut self) -> Result<(), CudaError> {
        self.failure.take().map_or(Ok(()), Err)
    }

    fn pull(&mut self) -> Result<(), CudaError> {
        self.counted = self.steps.read()?[0];
        self.mean.pull()
    }

    fn push(&mut self) -> Result<(), CudaError> {
        self.steps.write(&[self.counted])?;
        self.mean.push()
    }
}
