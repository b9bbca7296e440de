//! Parameters in device memory.

#![allow(unsafe_code, reason = "launches of kernels")]

mod algebra;
mod measure;
mod norm;
mod segmented;

pub use algebra::DeviceSpace;
pub(crate) use algebra::Quotient;
pub(crate) use measure::Measure;
pub use norm::DeviceNorm;
pub use segmented::CudaSegmentedSpace;

use sam_core::{ParamSpace, Rule, Verdict};

use crate::{
    CudaError, Device, DeviceVec, Gradient, Grid,
    kernels::{
        Products, Quotients,
        rule::exponent_kind,
        sweep::{CHUNK, THREADS},
    },
};

/// [`ParamSpace`] in device memory: norm, perturbation and check of a step are kernels, and nothing waits for them.
///
/// `w + eps-hat` goes into a buffer of the space's own; `w` is never touched by the ascent. The host never learns what
/// the norm was unless it asks: every verdict is [`Verdict::Unknown`], and the base optimizers of this crate, which
/// read the gradient's own flag, step only where both gradients of the step were finite.
///
/// Memory: one word a weight. Traffic: norm 1 read a weight (2 if adaptive; twice that for p other than 1, 2 and
/// infinity), ascent 2 reads and 1 write, check 1 read. Sums are of doubles in a fixed order: the norm has the same bits
/// on every card, with a relative error below 1e-12; the perturbation's formula has the host's bits.
#[derive(Debug)]
pub struct CudaSpace {
    perturbed: DeviceVec<f32>,
    norm: Measure,
    checks: DeviceVec<u32>,
    products: DeviceVec<Products>,
    quotients: DeviceVec<Quotients>,
    /// A clean gradient of this step has been looked at, and the perturbed one not yet.
    halfway: bool,
    waits: bool,
}

impl CudaSpace {
    /// A space for `len` parameters.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn new(device: &Device, len: usize) -> Result<Self, CudaError> {
        let chunks = (len.div_ceil(CHUNK as usize)).max(1);
        Ok(Self {
            perturbed: DeviceVec::zeros(device, len)?,
            norm: Measure::new(device, len)?,
            checks: DeviceVec::zeros(device, chunks)?,
            products: DeviceVec::zeros(device, chunks)?,
            quotients: DeviceVec::zeros(device, 1)?,
            halfway: false,
            waits: false,
        })
    }

    /// A space that waits for the device at each verdict and check and says what it found: for methods that keep more
    /// than the base optimizer does, which the device cannot call off. Two round trips a step.
    #[must_use]
    pub fn waiting(self) -> Self {
        Self { waits: true, ..self }
    }

    /// Brings the radius of `rule` to the device, if it is not there: for steps that are replayed from a graph.
    ///
    /// # Errors
    /// A device that fails.
    pub fn prepare(&mut self, rule: &Rule<f32>) -> Result<(), CudaError> {
        self.norm.prepare(rule)
    }

    /// The step goes on although the parameters are restored: the check to come counts its clean gradient too.
    pub(crate) const fn go_on(&mut self) {
        self.halfway = true;
    }

    fn device(&self) -> &Device {
        self.perturbed.device()
    }

    fn chunks(&self) -> u32 {
        (self.perturbed.len() as u32).div_ceil(CHUNK)
    }

    fn fits(&self, w: &DeviceVec<f32>, g: &Gradient) -> Result<u32, CudaError> {
        let len = self.perturbed.len();
        CudaError::check_length("parameters", len, w.len())?;
        CudaError::check_length("gradient", len, g.len())?;
        w.check_device("buffer of parameters", self.device())?;
        g.values().check_device("gradient", self.device())?;
        Ok(len as u32)
    }
}

impl ParamSpace for CudaSpace {
    type Params = DeviceVec<f32>;
    type Grads = Gradient;
    type Scalar = f32;
    type Norm = DeviceNorm;
    type Error = CudaError;

    fn dual_norm(
        &mut self,
        w: &DeviceVec<f32>,
        g: &Gradient,
        rule: &Rule<f32>,
    ) -> Result<DeviceNorm, CudaError> {
        self.fits(w, g)?;
        self.halfway = true;
        self.norm.launch(&w.view(), &g.values().view(), rule, g.finite_address())
    }

    fn verdict(&self, norm: &DeviceNorm) -> Verdict {
        // A device that fails says so again where there is a way to report it.
        if self.waits { norm.verdict().unwrap_or(Verdict::Unknown) } else { Verdict::Unknown }
    }

    fn ascend(
        &mut self,
        w: &mut DeviceVec<f32>,
        g: &Gradient,
        rule: &Rule<f32>,
        norm: &DeviceNorm,
    ) -> Result<(), CudaError> {
        let n = self.fits(w, g)?;
        self.prepare(rule)?;
        let device = self.perturbed.device().clone();
        let arguments = (
            w.view().ptr(),
            g.values().view().ptr(),
            n,
            self.norm.rule(),
            norm.parts().ptr(),
            exponent_kind(&rule.norm),
            i32::from(rule.adaptive.is_some()),
            rule.norm.q() - 1.0,
            self.perturbed.view_mut().ptr(),
        );
        // SAFETY: w, g and the perturbed parameters have n entries and are three buffers.
        unsafe { device.launch(&device.kernels().ascend, Grid::vectors(n, size_of::<f32>()), arguments) }
    }

    fn perturbed<'a>(&'a self, _: &'a DeviceVec<f32>) -> &'a DeviceVec<f32> {
        &self.perturbed
    }

    fn restore(&mut self, _: &mut DeviceVec<f32>) -> Result<(), CudaError> {
        self.halfway = false;
        Ok(())
    }

    fn check(&mut self, g: &Gradient) -> Result<Verdict, CudaError> {
        CudaError::check_length("gradient", self.perturbed.len(), g.len())?;
        let join = i32::from(core::mem::take(&mut self.halfway));
        let (chunks, n) = (self.chunks(), g.len() as u32);
        let device = self.perturbed.device().clone();
        let kernels = device.kernels();
        let sweep = (g.values().view().ptr(), n, self.checks.view_mut().ptr());
        // SAFETY: g has n entries, there is a word for each chunk.
        unsafe { device.launch(&kernels.check_sweep, Grid::new([chunks, 1, 1], THREADS), sweep)? };
        let finish = (self.checks.view().ptr(), chunks, join, g.finite_address());
        // SAFETY: as above; the flag is a single word that nothing on the host refers to.
        unsafe { device.launch(&kernels.check_finish, Grid::new([1, 1, 1], THREADS), finish)? };
        Ok(match self.waits {
            false => Verdict::Unknown,
            true if g.is_finite()? => Verdict::Finite,
            true => Verdict::NonFinite,
        })
    }
}
