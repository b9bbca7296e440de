//! Gradient clipping.

#![allow(unsafe_code, reason = "launches of kernels")]

use sam_core::{Descent, LearningRate, Rule};

use crate::{CudaError, Device, DeviceVec, Gradient, Grid, PtrMut, space::Measure};

/// [`sam_core::Clipped`] on the device: scales gradients whose Euclidean norm exceeds `max_norm` down to it, then lets the
/// base optimizer step. The norm stays on the device, and nothing waits for it.
///
/// A gradient that is not clipped keeps its bits. A clipped one has norm `max_norm` to 2e-7 relative, each entry to two
/// units in its last place; the host's own norm, a sum of floats, is exact to 5e-7. Where the step's gradients were not
/// finite nothing happens. Traffic: 1 read, and where it clips 1 read and 1 write more, a weight.
#[derive(Debug)]
pub struct CudaClipped<D> {
    /// The base optimizer.
    pub base: D,
    /// Largest norm that passes unchanged. Infinite: nothing is clipped, and no norm taken.
    pub max_norm: f32,
    norm: Measure,
    len: usize,
}

impl<D> CudaClipped<D> {
    /// Clips gradients of `len` entries before `base` sees them.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn new(device: &Device, base: D, max_norm: f32, len: usize) -> Result<Self, CudaError> {
        Ok(Self { base, max_norm, norm: Measure::new(device, len)?, len })
    }

    /// Brings a changed limit to the device: for steps that are replayed from a graph, whose base has its own to bring.
    /// [`CudaClipped::descend`] does it too.
    ///
    /// # Errors
    /// A device that fails.
    pub fn prepare(&mut self) -> Result<(), CudaError> {
        self.rule().map_or(Ok(()), |rule| self.norm.prepare(&rule))
    }

    /// The perturbation of radius `max_norm` along a gradient is the gradient scaled to that norm.
    fn rule(&self) -> Option<Rule<f32>> {
        self.max_norm.is_finite().then(|| Rule::l2(self.max_norm))
    }

    fn clip(&mut self, g: &mut Gradient, rule: &Rule<f32>) -> Result<(), CudaError> {
        CudaError::check_length("gradient", self.len, g.len())?;
        g.values().check_device("gradient", self.norm.device())?;
        let values = g.values().view();
        let norm = self.norm.launch(&values, &values, rule, PtrMut::NULL)?;
        let (n, device) = (g.len() as u32, self.norm.device());
        let (mut values, finite) = g.parts();
        let arguments = (values.ptr(), n, self.norm.rule(), norm.parts().ptr(), finite.ptr());
        // SAFETY: the gradient has n entries; rule, norm and flag are single values elsewhere.
        unsafe { device.launch(&device.kernels().clip, Grid::vectors(n, size_of::<f32>()), arguments) }
    }
}

impl<D: Descent<DeviceVec<f32>, Gradient, Error = CudaError>> Descent<DeviceVec<f32>, Gradient>
    for CudaClipped<D>
{
    type Error = CudaError;

    fn descend(&mut self, w: &mut DeviceVec<f32>, g: &mut Gradient) -> Result<(), CudaError> {
        if let Some(rule) = self.rule() {
            self.clip(g, &rule)?;
        }
        self.base.descend(w, g)
    }
}

impl<D: LearningRate<f32>> LearningRate<f32> for CudaClipped<D> {
    fn learning_rate(&self) -> f32 {
        self.base.learning_rate()
    }

    fn set_learning_rate(&mut self, rate: f32) {
        self.base.set_learning_rate(rate);
    }
}
