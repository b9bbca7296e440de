//! Stochastic gradient descent.

#![allow(unsafe_code, reason = "launches of kernels")]

use sam_core::{Descent, LearningRate, WeightDecay};

use super::decay_factors;
use crate::{CudaError, Device, DeviceVec, Gradient, Grid, PtrMut, kernels::SgdRates};

/// [`sam_core::Sgd`] on the device, bit for bit; only that it does nothing, not even to the momentum, where the step's
/// gradients were not finite, which the host has not been told.
///
/// Memory: one word a weight for the momentum; none without. Traffic: 3 reads and 2 writes a weight with momentum, 2 reads
/// and 1 write without.
#[derive(Debug)]
pub struct CudaSgd {
    /// Learning rate.
    pub lr: f32,
    /// Pull towards zero.
    pub decay: WeightDecay<f32>,
    /// Looks one momentum step ahead.
    pub nesterov: bool,
    momentum: f32,
    buffer: Option<DeviceVec<f32>>,
    rates: DeviceVec<SgdRates>,
    /// The rates that are on the device.
    known: Option<SgdRates>,
}

impl CudaSgd {
    /// Plain gradient descent.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn new(device: &Device, lr: f32) -> Result<Self, CudaError> {
        Ok(Self {
            lr,
            decay: WeightDecay::Coupled(0.0),
            nesterov: false,
            momentum: 0.0,
            buffer: None,
            rates: DeviceVec::zeros(device, 1)?,
            known: None,
        })
    }

    /// Adds momentum for `len` parameters, zero at first.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn with_momentum(self, momentum: f32, len: usize) -> Result<Self, CudaError> {
        let buffer = Some(DeviceVec::zeros(self.rates.device(), len)?);
        Ok(Self { momentum, buffer, ..self })
    }

    /// Makes the momentum Nesterov's.
    #[must_use]
    pub fn with_nesterov(self) -> Self {
        Self { nesterov: true, ..self }
    }

    /// Adds weight decay.
    #[must_use]
    pub fn with_decay(self, decay: WeightDecay<f32>) -> Self {
        Self { decay, ..self }
    }

    /// The momentum, all the state there is; `None` without momentum.
    #[must_use]
    pub const fn momentum_buffer(&self) -> Option<&DeviceVec<f32>> {
        self.buffer.as_ref()
    }

    /// The momentum, for a checkpoint to restore.
    #[must_use]
    pub const fn momentum_buffer_mut(&mut self) -> Option<&mut DeviceVec<f32>> {
        self.buffer.as_mut()
    }

    /// Brings changed rates to the device: for steps that are replayed from a graph. [`CudaSgd::descend`] does it too.
    ///
    /// # Errors
    /// A device that fails.
    pub fn prepare(&mut self) -> Result<(), CudaError> {
        let (coupled, keep) = decay_factors(self.decay, self.lr);
        let rates = SgdRates { lr: self.lr, momentum: self.momentum, coupled, keep };
        if self.known != Some(rates) {
            self.rates.store(&rates)?;
            self.known = Some(rates);
        }
        Ok(())
    }
}

impl Descent<DeviceVec<f32>, Gradient> for CudaSgd {
    type Error = CudaError;

    fn descend(&mut self, w: &mut DeviceVec<f32>, g: &mut Gradient) -> Result<(), CudaError> {
        CudaError::check_length("gradient", w.len(), g.len())?;
        w.check_device("buffer of parameters", self.rates.device())?;
        g.values().check_device("gradient", self.rates.device())?;
        self.prepare()?;
        // A momentum of 0 needs no buffer and leaves one that is there alone, as on the host.
        let momentum = match &mut self.buffer {
            Some(buffer) if self.momentum != 0.0 => {
                CudaError::check_length("momentum", w.len(), buffer.len())?;
                buffer.view_mut().ptr()
            }
            _ => PtrMut::NULL,
        };
        let n = w.len() as u32;
        let device = self.rates.device().clone();
        let arguments = (
            w.view_mut().ptr(),
            g.values().view().ptr(),
            momentum,
            n,
            self.rates.view().ptr(),
            i32::from(self.nesterov),
            g.finite().ptr(),
        );
        // SAFETY: w, g and, unless null, the momentum have n entries and are three buffers.
        unsafe { device.launch(&device.kernels().sgd, Grid::vectors(n, size_of::<f32>()), arguments) }
    }
}

impl LearningRate<f32> for CudaSgd {
    fn learning_rate(&self) -> f32 {
        self.lr
    }

    fn set_learning_rate(&mut self, rate: f32) {
        self.lr = rate;
    }
}
