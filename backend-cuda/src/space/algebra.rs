//! Arithmetic on whole gradients, for the methods that combine several.

use sam_core::{GradientAlgebra, Rule};

use super::{CudaSpace, DeviceNorm};
use crate::{
    CudaError, DeviceVec, Gradient, Grid,
    kernels::{
        Quotients,
        sweep::{CHUNK, THREADS},
    },
};

/// Storage in device memory, whose steps can be recorded.
pub trait DeviceSpace:
    GradientAlgebra<
        Params = DeviceVec<f32>,
        Grads = Gradient,
        Scalar = f32,
        Norm = DeviceNorm,
        Error = CudaError,
    > + Send
{
    /// Brings the radius of `rule` to the device, if it is not there: for steps that are replayed from a graph.
    ///
    /// # Errors
    /// A device that fails.
    fn prepare(&mut self, rule: &Rule<f32>) -> Result<(), CudaError>;

    /// Whether it waits for the device at each verdict and check.
    fn waits(&self) -> bool;

    /// The space without segments, for what methods do with whole gradients.
    fn whole(&mut self) -> &mut CudaSpace;
}

impl DeviceSpace for CudaSpace {
    fn prepare(&mut self, rule: &Rule<f32>) -> Result<(), CudaError> {
        Self::prepare(self, rule)
    }

    fn waits(&self) -> bool {
        self.waits
    }

    fn whole(&mut self) -> &mut CudaSpace {
        self
    }
}

/// A quotient of products of two gradients that the host never reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotient {
    /// As [`GradientAlgebra::projection`].
    Projection,
    /// As [`GradientAlgebra::ratio`].
    Ratio,
}

/// A factor that is a line in a quotient t: its value at 0, and its slope.
pub(crate) type Line = [f32; 2];

/// `projection` and `ratio` read each gradient once and wait for the device; their sums are of doubles, exact to 1e-12
/// before the result is rounded. `copy` and `mix` wait for nothing; `mix` has the host's bits.
impl GradientAlgebra for CudaSpace {
    fn copy(&mut self, from: &Gradient, to: &mut Gradient) -> Result<(), CudaError> {
        to.values_mut().copy_from(from.values())
    }

    fn mix(&mut self, a: f32, x: &Gradient, b: f32, y: &mut Gradient) -> Result<(), CudaError> {
        let n = self.alike(x, y)?;
        let device = self.perturbed.device().clone();
        let arguments = (a, x.values().view().ptr(), b, n, y.values_mut().view_mut().ptr());
        // SAFETY: x and y have n entries and are two buffers.
        unsafe { device.launch(&device.kernels().mix, Grid::vectors(n, size_of::<f32>()), arguments) }
    }

    fn projection(&mut self, a: &Gradient, b: &Gradient) -> Result<f32, CudaError> {
        self.measure_quotients(a, b)?;
        Ok(self.read_quotients()?.projection)
    }

    fn ratio(&mut self, a: &Gradient, b: &Gradient) -> Result<f32, CudaError> {
        self.measure_quotients(a, b)?;
        Ok(self.read_quotients()?.ratio)
    }
}

impl CudaSpace {
    /// Two gradients of one length on the space's device.
    fn alike(&self, a: &Gradient, b: &Gradient) -> Result<u32, CudaError> {
        CudaError::check_length("gradient buffer", a.len(), b.len())?;
        CudaError::check_length("gradient", self.perturbed.len(), a.len())?;
        for gradient in [a, b] {
            gradient.values().check_device("gradient", self.perturbed.device())?;
        }
        Ok(a.len() as u32)
    }

    /// Has the quotients of the products of `a` and `b` computed, for [`CudaSpace::mix_along`]. Each gradient is read once, and
    /// nothing waits.
    pub(crate) fn measure_quotients(&mut self, a: &Gradient, b: &Gradient) -> Result<(), CudaError> {
        let n = self.alike(a, b)?;
        let device = self.perturbed.device().clone();
        let (kernels, chunks) = (device.kernels(), n.div_ceil(CHUNK));
        let partials = self.products.shared_ptr();
        let sweep = (a.values().view().ptr(), b.values().view().ptr(), n, partials);
        // SAFETY: a and b have n entries, there is a partial for each chunk.
        unsafe { device.launch(&kernels.products_sweep, Grid::new([chunks, 1, 1], THREADS), sweep)? };
        let finish = (partials.reading(), chunks, self.quotients.shared_ptr());
        // SAFETY: as above; the quotients are a single value.
        unsafe { device.launch(&kernels.products_finish, Grid::new([1, 1, 1], THREADS), finish) }
    }

    fn read_quotients(&self) -> Result<Quotients, CudaError> {
        let mut quotients = [Quotients::default()];
        self.quotients.read_into(&mut quotients)?;
        Ok(quotients[0])
    }

    /// `y = a * x + b * y` with factors that are lines in the quotient that was measured last. Waits for nothing; given the
    /// quotient it has the host's bits.
    pub(crate) fn mix_along(
        &mut self,
        quotient: Quotient,
        (a, x): (Line, &Gradient),
        (b, y): (Line, &mut Gradient),
    ) -> Result<(), CudaError> {
        let n = self.alike(x, y)?;
        let device = self.perturbed.device().clone();
        let x = x.values().view().ptr();
        let ratio = i32::from(quotient == Quotient::Ratio);
        let quotients = self.quotients.view().ptr();
        let arguments = (a[0], a[1], x, b[0], b[1], n, quotients, ratio, y.values_mut().view_mut().ptr());
        // SAFETY: x and y have n entries and are two buffers; the quotients are a single value.
        unsafe { device.launch(&device.kernels().mix_along, Grid::vectors(n, size_of::<f32>()), arguments) }
    }
}
