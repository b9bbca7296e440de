//! Convolutions, by the project's kernels or the vendor's, whichever was chosen.

#![allow(unsafe_code, reason = "launches of kernels")]

mod choice;
mod fused;
mod native;
#[cfg(test)]
mod tests;
mod trial;

pub(crate) use choice::Choosing;

use sam_model::Shape;

use super::{Backward, Behind, Forward, Layer, On, add::add_bias};
use crate::{
    ChosenKernel, CudaError, Precision, Product, Ptr,
    geometry::Geometry,
    kernels::columns::{chunks, finish, sweep},
    vendor::{FusedConvolution, FusedOperands, Operands, VendorKernel},
};
use native::Native;

/// Convolution, and the dense layer as the convolution of a 1x1 image. Parameters are
/// `[filters row by row (rows, columns, channels, filters), bias]`.
///
/// Each of its three products is computed by this crate's kernel or, for batches of the size that it was chosen for, by a
/// library's; forwards perhaps together with what stands behind it.
pub(crate) struct Conv {
    /// Its number of samples is that of the libraries' kernels.
    geometry: Geometry,
    bias: bool,
    native: Native,
    vendor: VendorKernels,
}

/// Libraries' kernels, where such were chosen.
#[derive(Default)]
struct VendorKernels {
    forward: Option<Box<dyn VendorKernel>>,
    input_gradient: Option<Box<dyn VendorKernel>>,
    weight_gradient: Option<Box<dyn VendorKernel>>,
    /// Forwards, with what is behind the layer.
    fused: Option<FusedConvolution>,
}

impl VendorKernels {
    fn of(&mut self, product: Product) -> &mut Option<Box<dyn VendorKernel>> {
        match product {
            Product::Forward => &mut self.forward,
            Product::InputGradient => &mut self.input_gradient,
            Product::WeightGradient => &mut self.weight_gradient,
        }
    }

    fn scratch_bytes(&self) -> usize {
        let kernels = [&self.forward, &self.input_gradient, &self.weight_gradient];
        let alone = kernels.into_iter().flatten().map(|kernel| kernel.scratch_bytes()).max().unwrap_or(0);
        alone.max(self.fused.as_ref().map_or(0, FusedConvolution::scratch_bytes))
    }
}

impl Conv {
    pub fn new(
        input: Shape,
        output: Shape,
        kernel: usize,
        stride: usize,
        padding: [usize; 2],
        bias: bool,
    ) -> Self {
        let geometry = Geometry { samples: 0, input, output, kernel, stride, padding };
        Self { geometry, bias, native: Native::new(&geometry), vendor: VendorKernels::default() }
    }

    fn product(
        &mut self,
        on: On<'_>,
        product: Product,
        samples: usize,
        bias: Ptr<f32>,
        operands: &Operands,
    ) -> Result<(), CudaError> {
        let chosen = self.vendor.of(product).as_mut().filter(|_| samples == self.geometry.samples);
        let Some(kernel) = chosen else {
            return self.native.launch(on.0, product, samples, bias, operands);
        };
        kernel.launch(on.0, operands)?;
        if product != Product::Forward || !self.bias {
            return Ok(());
        }
        let output = self.geometry.output;
        add_bias(on, samples * output.pixels(), output.channels, bias, operands.to)
    }
}

/// The gradient of a bias for each channel of `output`, behind `weights` values of the layer's gradients.
pub(super) fn bias_gradient(pass: &Backward<'_>, output: Shape, weights: usize) -> Result<(), CudaError> {
    let kernels = pass.kernels;
    let (rows, channels) = (pass.samples * output.pixels(), output.channels);
    let sums = (pass.d_output, rows as u32, channels as u32, pass.scratch);
    // SAFETY: the gradient has rows times channels values, the scratch memory a place for each chunk and channel.
    unsafe { pass.device.launch(&kernels.bias_gradient_sums, sweep(rows, channels, kernels.element), sums)? };
    let arguments = (pass.scratch.reading(), chunks(rows) as u32, channels as u32, pass.grads.add(weights));
    // SAFETY: as above; the bias's gradients follow those of the filters.
    unsafe { pass.device.launch(&kernels.bias_gradient_finish, finish(channels), arguments) }
}

/// Bytes of scratch memory that [`bias_gradient`] needs.
pub(super) const fn bias_scratch(samples: usize, output: Shape) -> usize {
    chunks(samples * output.pixels()) * output.channels * size_of::<f64>()
}

impl Layer for Conv {
    fn set_precision(&mut self, precision: Precision) {
        self.native.precision = precision;
        // They are of another.
        self.vendor = VendorKernels::default();
    }

    fn choose(&mut self, choosing: &Choosing<'_>) -> Result<Vec<ChosenKernel>, CudaError> {
        self.geometry.samples = choosing.samples;
        self.vendor = VendorKernels::default();
        let mut chosen = Vec::new();
        for product in Product::ALL {
            if product == Product::InputGradient && !choosing.input_gradient {
                continue;
            }
            let (mut kernel, mut reason) = choosing.choose(&self.native, &self.geometry, product)?;
            let vendor = kernel.is_some();
            if product == Product::Forward
                && let Some((fused, why)) =
                    choosing.choose_fused(&self.native, &self.geometry, &mut kernel)?
            {
                let taken = if fused.is_some() { "taken" } else { "not taken" };
                reason = format!("{reason}; with the sums of the normalisation behind it: {taken}, {why}");
                self.vendor.fused = fused;
            }
            chosen.push(ChosenKernel { layer: choosing.layer.to_owned(), product, vendor, reason });
            *self.vendor.of(product) = kernel;
        }
        Ok(chosen)
    }

    fn forward(&mut self, pass: Forward<'_>) -> Result<(), CudaError> {
        let bias = if self.bias { pass.params.add(self.geometry.weights()) } else { Ptr::NULL };
        let operands = Operands {
            left: pass.input,
            right: pass.params.cast(),
            to: pass.output,
            accumulate: false,
            scratch: pass.scratch,
        };
        self.product((pass.device, pass.kernels), Product::Forward, pass.samples, bias, &operands)
    }

    fn forward_fused(&mut self, pass: &Forward<'_>, behind: &Behind) -> Result<bool, CudaError> {
        let &Behind { addend, sums } = behind;
        let Forward { device, samples, params, input, output, scratch, .. } = *pass;
        let operands = FusedOperands { input, filters: params, addend, output, sums, scratch };
        let chosen = self.vendor.fused.as_mut().filter(|kernel| kernel.takes(&operands));
        let Some(kernel) = chosen.filter(|_| samples == self.geometry.samples) else { return Ok(false) };
        kernel.launch(device, &operands)?;
        Ok(true)
    }

    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError> {
        let on = (pass.device, pass.kernels);
        let weights = Operands {
            left: pass.input,
            right: pass.d_output,
            to: pass.grads.cast(),
            accumulate: false,
            scratch: pass.scratch,
        };
        self.product(on, Product::WeightGradient, pass.samples, Ptr::NULL, &weights)?;
        if self.bias {
            bias_gradient(&pass, self.geometry.output, self.geometry.weights())?;
        }
        let Some(to) = pass.d_input else { return Ok(()) };
        let input = Operands {
            left: pass.d_output,
            right: pass.params.cast(),
            to: to.values,
            accumulate: to.accumulate,
            scratch: pass.scratch,
        };
        self.product(on, Product::InputGradient, pass.samples, Ptr::NULL, &input)
    }

    fn scratch_bytes(&self, samples: usize) -> usize {
        let sums = if self.bias { bias_scratch(samples, self.geometry.output) } else { 0 };
        self.native.scratch_bytes(samples).max(self.vendor.scratch_bytes()).max(sums)
    }
}
