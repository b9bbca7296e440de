//! Arithmetic on whole gradients, for the methods that combine several.

use sam_core::{GradientAlgebra, Rule};

use super::{CudaSpace, DeviceNorm};
use crate::{
    CudaError, DeviceVec, Gradient, Grid,
    kernels::{
        Products,
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
}

impl DeviceSpace for CudaSpace {
    fn prepare(&mut self, rule: &Rule<f32>) -> Result<(), CudaError> {
        Self::prepare(self, rule)
    }

    fn waits(&self) -> bool {
        self.waits
    }
}

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
        unsafe { device.launch(&device.kernels().mix, Grid::over(n), arguments) }
    }

    fn projection(&mut self, a: &Gradient, b: &Gradient) -> Result<f32, CudaError> {
        let Products { aa, bb, ab } = self.products(a, b)?;
        Ok(if !aa.is_finite() || !bb.is_finite() {
            f32::NAN
        } else if aa == 0.0 || bb == 0.0 {
            0.0
        } else {
            (ab / bb) as f32
        })
    }

    fn ratio(&mut self, a: &Gradient, b: &Gradient) -> Result<f32, CudaError> {
        let Products { aa, bb, .. } = self.products(a, b)?;
        Ok(if bb == 0.0 { 0.0 } else { (aa.sqrt() / bb.sqrt()) as f32 })
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

    fn products(&mut self, a: &Gradient, b: &Gradient) -> Result<Products, CudaError> {
        let n = self.alike(a, b)?;
        let device = self.perturbed.device().clone();
        let (kernels, chunks) = (device.kernels(), n.div_ceil(CHUNK));
        let (partials, result) = (self.products.shared_ptr(), self.product.shared_ptr());
        let sweep = (a.values().view().ptr(), b.values().view().ptr(), n, partials);
        // SAFETY: a and b have n entries, there is a partial for each chunk.
        unsafe { device.launch(&kernels.products_sweep, Grid::new([chunks, 1, 1], THREADS), sweep)? };
        let finish = (partials.reading(), chunks, result);
        // SAFETY: as above; the result is a single value.
        unsafe { device.launch(&kernels.products_finish, Grid::new([1, 1, 1], THREADS), finish)? };
        let mut products = [Products::default()];
        self.product.read_into(&mut products)?;
        Ok(products[0])
    }
}
