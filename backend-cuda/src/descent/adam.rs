//! Adam and AdamW.

#![allow(unsafe_code, reason = "launches of kernels")]

use sam_core::{Descent, LearningRate, WeightDecay};

use super::decay_factors;
use crate::{
    CudaError, Device, DeviceVec, Gradient, Grid,
    kernels::{AdamProgress, AdamRates},
};

/// [`sam_core::Adam`] on the device, with the same order of operations; only that it does nothing where the step's
/// gradients were not finite. The two factors that depend on the count of steps may differ from the host's in
/// their last bit, all else has its bits.
///
/// Memory: two words a weight. Traffic: 4 reads, 3 writes a weight.
#[derive(Debug)]
pub struct CudaAdam {
    /// Learning rate.
    pub lr: f32,
    /// Share of the mean gradient that stays.
    pub beta1: f32,
    /// Share of the mean squared gradient that stays.
    pub beta2: f32,
    /// Added to the root: bounds the step where gradients vanish.
    pub epsilon: f32,
    /// Pull towards zero.
    pub decay: WeightDecay<f32>,
    mean: DeviceVec<f32>,
    square: DeviceVec<f32>,
    progress: DeviceVec<AdamProgress>,
    rates: DeviceVec<AdamRates>,
    /// The rates that are on the device.
    known: Option<AdamRates>,
}

impl CudaAdam {
    /// Adam for `len` parameters with its paper's `beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8`.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn new(device: &Device, lr: f32, len: usize) -> Result<Self, CudaError> {
        Ok(Self {
            lr,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            decay: WeightDecay::Coupled(0.0),
            mean: DeviceVec::zeros(device, len)?,
            square: DeviceVec::zeros(device, len)?,
            progress: DeviceVec::zeros(device, 1)?,
            rates: DeviceVec::zeros(device, 1)?,
            known: None,
        })
    }

    /// AdamW: Adam with decoupled decay.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn adamw(device: &Device, lr: f32, decay: f32, len: usize) -> Result<Self, CudaError> {
        Ok(Self::new(device, lr, len)?.with_decay(WeightDecay::Decoupled(decay)))
    }

    /// Adds weight decay.
    #[must_use]
    pub fn with_decay(self, decay: WeightDecay<f32>) -> Self {
        Self { decay, ..self }
    }

    /// Steps made so far; waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    pub fn steps(&self) -> Result<u64, CudaError> {
        let mut progress = [AdamProgress::default()];
        self.progress.read_into(&mut progress)?;
        Ok(progress[0].steps)
    }

    /// The mean gradient and the mean squared gradient; with [`CudaAdam::steps`] all the state there is.
    #[must_use]
    pub const fn moments(&self) -> (&DeviceVec<f32>, &DeviceVec<f32>) {
        (&self.mean, &self.square)
    }

    /// Takes over the state of a checkpoint.
    ///
    /// # Errors
    /// [`CudaError::Length`] if there is not one value of each moment for each parameter.
    pub fn restore(&mut self, steps: u64, mean: &[f32], square: &[f32]) -> Result<(), CudaError> {
        CudaError::check_length("mean gradient", self.mean.len(), mean.len())?;
        CudaError::check_length("mean squared gradient", self.square.len(), square.len())?;
        self.mean.write(mean)?;
        self.square.write(square)?;
        self.progress.write(&[AdamProgress { steps, ..AdamProgress::default() }])
    }

    /// Brings changed rates to the device: for steps that are replayed from a graph. [`CudaAdam::descend`] does it too.
    ///
    /// # Errors
    /// A device that fails.
    pub fn prepare(&mut self) -> Result<(), CudaError> {
        let (coupled, keep) = decay_factors(self.decay, self.lr);
        let Self { lr, beta1, beta2, epsilon, .. } = *self;
        let rates = AdamRates { lr, beta1, beta2, epsilon, coupled, keep };
        if self.known != Some(rates) {
            self.rates.store(&rates)?;
            self.known = Some(rates);
        }
        Ok(())
    }
}

impl Descent<DeviceVec<f32>, Gradient> for CudaAdam {
    type Error = CudaError;

    fn descend(&mut self, w: &mut DeviceVec<f32>, g: &mut Gradient) -> Result<(), CudaError> {
        CudaError::check_length("parameters", self.mean.len(), w.len())?;
        CudaError::check_length("gradient", w.len(), g.len())?;
        w.check_device("buffer of parameters", self.rates.device())?;
        g.values().check_device("gradient", self.rates.device())?;
        self.prepare()?;
        let n = w.len() as u32;
        let device = self.rates.device().clone();
        let (rates, finite) = (self.rates.view().ptr(), g.finite().ptr());
        let advance = (rates, finite, self.progress.view_mut().ptr());
        // SAFETY: single values.
        unsafe { device.launch(&device.kernels().adam_advance, Grid::new([1, 1, 1], 1), advance)? };
        let arguments = (
            w.view_mut().ptr(),
            g.values().view().ptr(),
            self.mean.view_mut().ptr(),
            self.square.view_mut().ptr(),
            n,
            rates,
            self.progress.view().ptr(),
            finite,
        );
        // SAFETY: w, g and both moments have n entries and are four buffers.
        unsafe { device.launch(&device.kernels().adam, Grid::vectors(n, size_of::<f32>()), arguments) }
    }
}

impl LearningRate<f32> for CudaAdam {
    fn learning_rate(&self) -> f32 {
        self.lr
    }

    fn set_learning_rate(&mut self, rate: f32) {
        self.lr = rate;
    }
}
