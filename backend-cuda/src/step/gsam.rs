//! GSAM's use of the two gradients.

use sam_core::{Combination, Descent, InvalidSetting, Sink, Source, State};

use super::variant::OnDevice;
use crate::{CudaError, Device, DeviceSpace, DeviceVec, Gradient, space::Quotient};

/// [`sam_core::Gsam`] on the device, with its formula and order of operations: the projection stays there, so that nothing waits and a
/// step can be recorded. It has the bits of `sam_core::Gsam` on the same storage.
///
/// Memory: one word a weight. Traffic: 5 reads and 2 writes a weight more than SAM.
#[derive(Debug)]
pub struct CudaGsam {
    /// Weight of the gap; its paper uses 0.1 to 0.6.
    pub alpha: f32,
    around_clean: bool,
    clean: Gradient,
}

impl CudaGsam {
    /// For `len` parameters.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn new(device: &Device, alpha: f32, len: usize) -> Result<Self, CudaError> {
        Ok(Self { alpha, around_clean: false, clean: Gradient::zeros(device, len)? })
    }

    /// Starts from the clean gradient instead of the perturbed one.
    #[must_use]
    pub fn around_clean(self) -> Self {
        Self { around_clean: true, ..self }
    }
}

impl<S: DeviceSpace, D: Descent<DeviceVec<f32>, Gradient>> Combination<S, D> for CudaGsam {
    fn keep(&mut self, space: &mut S, clean: &Gradient) -> Result<(), CudaError> {
        space.copy(clean, &mut self.clean)
    }

    fn combine(&mut self, space: &mut S, g: &mut Gradient) -> Result<(), CudaError> {
        let (space, alpha) = (space.whole(), self.alpha);
        space.go_on();
        if self.around_clean {
            space.measure_quotients(g, &self.clean)?;
            return space.mix_along(Quotient::Projection, ([1.0, -alpha], &self.clean), ([alpha, 0.0], g));
        }
        if alpha == 0.0 {
            return Ok(());
        }
        space.measure_quotients(&self.clean, g)?;
        space.mix_along(Quotient::Projection, ([-alpha, 0.0], &self.clean), ([1.0, alpha], g))
    }

    fn check_settings(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::non_negative("alpha", self.alpha)
    }
}

/// Nothing outlives a step.
impl State<f32> for CudaGsam {
    fn save(&self, _: &mut Sink<'_, f32>) {}

    fn load(&mut self, _: &mut Source<'_, f32>) {}
}

impl OnDevice for CudaGsam {}
