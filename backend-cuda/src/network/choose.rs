//! Precision and kernels of a network's products.

use super::{
    CudaNetwork,
    build::{Kind, Task},
    storage,
};
use crate::{
    ChosenKernel, CudaError, DeviceVec, KernelChoice, Precision, element::Element, layer::Choosing, plan,
};

impl CudaNetwork {
    /// What convolutions and dense layers multiply in from now on, and what activations are kept as; f32 at first. For evaluation too.
    /// Kernels are chosen anew. Between bf16 and the others all buffers are made anew, both being there at a time
    /// ([`CudaNetwork::build_in`] makes them once); the batch that is set stays.
    ///
    /// # Errors
    /// [`CudaError::Precision`] if the card has no tensor cores for it; [`CudaError::Memory`], after which all is as before; as
    /// [`CudaNetwork::set_kernels`].
    pub fn set_precision(&mut self, precision: Precision) -> Result<(), CudaError> {
        self.device.check_precision(precision)?;
        let element = Element::of(precision);
        if element != self.element {
            let values = storage::others(&self.device, element, &self.values)?;
            let gradients = storage::others(&self.device, element, &self.gradients)?;
            self.images.set(element)?;
            (self.values, self.gradients, self.element) = (values, gradients, element);
        }
        self.tasks.iter_mut().for_each(|task| task.set_precision(precision));
        self.choose()
    }

    /// Whose kernels compute the products of convolutions and dense layers from now on; this crate's at first.
    ///
    /// NVIDIA's take over batches of the size that the network was built for, or of [`CudaNetwork::set_part`]; others, as at the end
    /// of an evaluation, are computed by this crate's. Their results don't depend on the run either: of their algorithms, deterministic ones are
    /// taken only. [`KernelChoice::Auto`] runs a trial for each shape of product, once in the life of a [`Device`](crate::Device).
    ///
    /// # Errors
    /// [`CudaError::Libraries`] if they are asked for by [`KernelChoice::Vendor`] and not there; a device that fails, or has
    /// no memory for their workspace.
    pub fn set_kernels(&mut self, choice: KernelChoice) -> Result<(), CudaError> {
        self.device.check_kernels(choice)?;
        self.choice = choice;
        self.choose()
    }

    /// Which kernel computes each product, and why; nothing before [`CudaNetwork::set_kernels`].
    #[must_use]
    pub fn kernels(&self) -> &[ChosenKernel] {
        &self.chosen
    }

    pub(super) fn choose(&mut self) -> Result<(), CudaError> {
        let Self { device, tasks, backward, choice, part, .. } = self;
        self.chosen.clear();
        for (step, Task { name, kind, params, together, .. }) in tasks.iter_mut().enumerate() {
            let Kind::Layer(layer) = kind else { continue };
            let input_gradient = backward.iter().any(|action| {
                matches!(action, plan::Backward::Layer { step: own, d_input: Some(_), .. } if *own == step)
            });
            self.chosen.extend(layer.choose(&Choosing {
                device,
                choice: *choice,
                samples: *part,
                layer: name,
                parameter: params.start,
                input_gradient,
                together: together.map(|together| together.addend.is_some()),
            })?);
        }
        let scratch = self.tasks.iter().map(|task| task.scratch_bytes(self.room)).max().unwrap_or(0);
        let scratch = scratch.div_ceil(size_of::<f64>());
        if scratch > self.scratch.len() {
            self.scratch = DeviceVec::zeros(&self.device, scratch)?;
        }
        Ok(())
    }
}
