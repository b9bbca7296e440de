//! Choosing between this crate's kernel for a product and a library's.

use super::{native::Native, trial};
use crate::{
    CudaError, Device, KernelChoice, Product,
    geometry::Geometry,
    vendor::{Key, VendorKernel},
};

/// What a layer chooses its kernels by.
pub(crate) struct Choosing<'a> {
    pub device: &'a Device,
    pub choice: KernelChoice,
    /// Samples of the batches that libraries' kernels are for.
    pub samples: usize,
    /// The layer's name.
    pub layer: &'a str,
    /// Values before the layer's parameters in their vector.
    pub parameter: usize,
    /// Whether anybody needs the gradient of its input.
    pub input_gradient: bool,
}

/// A library's kernel, if it is to be taken, and what speaks for the choice.
type Choice = (Option<Box<dyn VendorKernel>>, String);

impl Choosing<'_> {
    pub(super) fn choose(
        &self,
        native: &Native,
        geometry: &Geometry,
        product: Product,
    ) -> Result<Choice, CudaError> {
        let &Self { device, choice, parameter, .. } = self;
        if choice == KernelChoice::Native {
            return Ok((None, "as asked for".to_owned()));
        }
        let precision = native.precision;
        let kernel = match device.vendor()?.kernel(device, geometry, product, precision, parameter) {
            Ok(Ok(kernel)) => kernel,
            Ok(Err(reason)) => return Ok((None, reason)),
            // Nothing that a library does may break what would work without.
            Err(error) if choice == KernelChoice::Auto => return Ok((None, error.to_string())),
            Err(error) => return Err(error),
        };
        if choice == KernelChoice::Vendor {
            let name = kernel.name();
            return Ok((Some(kernel), format!("{name}, as asked for")));
        }
        let name = kernel.name();
        let key =
            Key { geometry: *geometry, product, precision, alignment: parameter.trailing_zeros().min(6) };
        let trial = |kernel: &mut _| trial::run(device, native, geometry, product, kernel);
        let (verdict, kernel) = device.vendor()?.verdict(device, key, kernel, trial);
        let reason = format!("{name}, {}", verdict.reason);
        Ok((verdict.taken.then_some(kernel), reason))
    }
}
