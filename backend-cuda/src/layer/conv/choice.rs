//! Choosing between this crate's kernel for a product and a library's.

use super::{fused, native::Native, trial};
use crate::{
    CudaError, Device, KernelChoice, Precision, Product,
    geometry::Geometry,
    vendor::{FusedConvolution, Fusion, Key, VendorKernel},
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
    /// Whether a normalisation is directly behind the layer, and an addition between the two.
    pub together: Option<bool>,
}

/// A library's kernel, if it is to be taken, and what speaks for the choice.
type Choice = (Option<Box<dyn VendorKernel>>, String);

impl Choosing<'_> {
    fn key(&self, geometry: &Geometry, product: Product, precision: Precision, fusion: Fusion) -> Key {
        let alignment = self.parameter.trailing_zeros().min(6);
        Key { geometry: *geometry, product, precision, fusion, alignment }
    }

    /// The forward product together with what is behind the layer, beside the kernel that was chosen for it alone; and what speaks for
    /// the choice.
    pub(super) fn choose_fused(
        &self,
        native: &Native,
        geometry: &Geometry,
        alone: &mut Option<Box<dyn VendorKernel>>,
    ) -> Result<Option<(Option<FusedConvolution>, String)>, CudaError> {
        let &Self { device, choice, together, .. } = self;
        let Some(add) = together.filter(|_| choice != KernelChoice::Native) else { return Ok(None) };
        let precision = native.precision;
        let kernel = match device.vendor()?.fused(geometry, precision, add) {
            Ok(kernel) => kernel,
            Err(reason) => return Ok(Some((None, reason))),
        };
        if choice == KernelChoice::Vendor {
            return Ok(Some((Some(kernel), "as asked for".to_owned())));
        }
        let fusion = if add { Fusion::AddSums } else { Fusion::Sums };
        let key = self.key(geometry, Product::Forward, precision, fusion);
        let trial = |kernel: &mut _| fused::run(device, native, geometry, alone, kernel);
        let (verdict, kernel) = device.vendor()?.verdict(device, key, kernel, trial);
        Ok(Some((verdict.taken.then_some(kernel), verdict.reason)))
    }

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
        let key = self.key(geometry, product, precision, Fusion::Nothing);
        let trial = |kernel: &mut _| trial::run(device, native, geometry, product, kernel);
        let (verdict, kernel) = device.vendor()?.verdict(device, key, kernel, trial);
        let reason = format!("{name}, {}", verdict.reason);
        Ok((verdict.taken.then_some(kernel), reason))
    }
}
