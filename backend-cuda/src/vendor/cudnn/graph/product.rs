//! One of a convolution's products alone, ready to be asked for: for convolutions that the older functions have not.

#![allow(unsafe_code, reason = "calls of the library, launches of kernels")]

use super::{
    execution::{Execution, Places},
    operations::{FILTERS, INPUT, OUTPUT},
    plan::{Computed, Key},
};
use crate::{
    CudaError, Device, Precision, Product,
    element::Element,
    geometry::Geometry,
    vendor::{
        Operands, VendorKernel,
        cudnn::{
            Cudnn,
            convolution::{aligned, bring_filters, filter_bytes, take_filters},
        },
        library::Failure,
    },
};

/// See the module.
///
/// Its scratch memory has the filters or their gradient first, then room for an input's gradient that is added to another, then the
/// workspace. Engines that add to what is there are few, so that is a sweep of its own.
pub(in crate::vendor::cudnn) struct GraphProduct {
    name: String,
    geometry: Geometry,
    element: Element,
    product: Product,
    execution: Execution<3>,
}

impl GraphProduct {
    pub fn new(
        library: &Cudnn,
        geometry: &Geometry,
        product: Product,
        precision: Precision,
    ) -> Result<Self, Failure> {
        let key = Key { geometry: *geometry, precision, computed: Computed::Alone(product) };
        let execution = Execution::new(library, key, [INPUT, FILTERS, OUTPUT])?;
        let (name, element) = (format!("{} by its graph interface", library.name()), Element::of(precision));
        Ok(Self { name, geometry: *geometry, element, product, execution })
    }

    /// Bytes in front of the workspace.
    fn before_workspace(&self) -> usize {
        let Geometry { samples, input, .. } = self.geometry;
        let filters = filter_bytes(&self.geometry, self.element);
        match self.product {
            Product::InputGradient => filters + aligned(samples * input.len() * self.element.bytes()),
            Product::Forward | Product::WeightGradient => filters,
        }
    }
}

impl VendorKernel for GraphProduct {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn scratch_bytes(&self) -> usize {
        self.before_workspace().saturating_add(self.execution.workspace())
    }

    fn launch(&mut self, device: &Device, operands: &Operands) -> Result<(), CudaError> {
        let Operands { left, right, to, accumulate, scratch } = *operands;
        let bytes = scratch.cast::<u8>();
        let workspace = bytes.add(self.before_workspace()).address();
        let apart = bytes.add(filter_bytes(&self.geometry, self.element)).cast();
        if self.product != Product::WeightGradient {
            bring_filters(device, &self.geometry, self.element, right.cast(), scratch)?;
        }
        let filters = scratch.address();
        let tensors = match self.product {
            Product::Forward => [left.address(), filters, to.address()],
            Product::InputGradient if accumulate => [apart.address(), filters, left.address()],
            Product::InputGradient => [to.address(), filters, left.address()],
            Product::WeightGradient => [left.address(), filters, right.address()],
        };
        // SAFETY: the caller's buffers are as large as the tensors say and begin where a pixel may; the scratch memory has room for what
        // is in front of the workspace and for that.
        unsafe { self.execution.launch(device, Places { tensors, workspace })? };
        device.wait_if_blocking(|| format!("{}, {}", self.name, self.product))?;
        match self.product {
            Product::WeightGradient => take_filters(device, &self.geometry, self.element, scratch, to.cast()),
            Product::InputGradient if accumulate => {
                let kernels = device.activations(self.element);
                let n = (self.geometry.samples * self.geometry.input.len()) as u32;
                // SAFETY: both buffers have so many values.
                unsafe {
                    device.launch(&kernels.add, kernels.vectors(n), (to.reading(), apart.reading(), n, to))
                }
            }
            _ => Ok(()),
        }
    }
}
