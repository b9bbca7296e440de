//! Convolution as three gathered products on the images themselves: forward, input gradient, weight gradient. Where
//! the filters are 3x3 with stride 1, each is done by Winograd's method if that is faster.
//!
//! The parameters are `[W (kernel rows x kernel columns x inputs x outputs), b]`. A kernel row's columns and input
//! channels lie behind one another both in W and, channels last, in the image: one run of products.

mod bias_gradient;
mod folded;
mod forward;
mod gather;
mod grouped;
mod input_gradient;
mod outer;
mod weight_gradient;
mod winograd;

use super::{Backward, Forward, GROUP, Layer, Layouts};
use crate::{
    Number,
    kernel::MicroKernels,
    layout::Layout,
    product::{Finish, Start},
};
use bias_gradient::BiasGradient;
pub use folded::FoldedConv;
use forward::ForwardConv;
pub use grouped::GroupedConv;
use input_gradient::InputGradients;
use weight_gradient::{PackedWeightGradient, WeightGradient};
use winograd::{Winograd, WinogradWeightGradient};

/// Fewer input and output channels than this together are convolved faster directly: the transforms are shared by too
/// few products.
const WINOGRAD_CHANNELS: usize = 48;

/// Extents of the filters.
#[derive(Clone, Copy)]
struct Filters {
    kernel: usize,
    stride: usize,
    /// Rows and columns of padding before the image.
    before: [usize; 2],
    inputs: usize,
    outputs: usize,
}

impl Filters {
    const fn weights(&self) -> usize {
        self.kernel * self.kernel * self.inputs * self.outputs
    }

    /// Whether Winograd's method does the forward pass and the input gradient, if it applies. Its filters of 3x3 with stride 1 have
    /// the same padding in both directions.
    fn by_winograd(&self) -> bool {
        let Self { kernel, stride, inputs, outputs, .. } = *self;
        winograd::applies(kernel, stride, inputs, outputs) && inputs + outputs >= WINOGRAD_CHANNELS
    }

    /// Where the image's pixel that an output pixel starts from lies in `image`; its coordinates are negative in the halo.
    fn origin(&self, image: Layout, [y, x]: [usize; 2]) -> usize {
        let at = |output: usize, before: usize| (output * self.stride) as isize - before as isize;
        image.pixel(at(y, self.before[0]), at(x, self.before[1]))
    }
}

/// A 2-D convolution.
pub struct Conv<T> {
    filters: Filters,
    kernels: MicroKernels<T>,
    forward: ForwardConv<T>,
    input_gradient: InputMethod<T>,
    weight_gradient: WeightMethod<T>,
    bias_gradient: BiasGradient<T>,
}

enum InputMethod<T> {
    Gathered(InputGradients<T>),
    Winograd(Winograd<T>),
}

enum WeightMethod<T> {
    Gathered(WeightGradient<T>),
    Packed(PackedWeightGradient<T>),
    Winograd(WinogradWeightGradient<T>),
}

impl<T: Number> Conv<T> {
    /// `batch` is the largest number of samples.
    pub fn new(layouts: Layouts, kernel: usize, stride: usize, before: [usize; 2], batch: usize) -> Self {
        let (inputs, outputs) = (layouts.input.shape.channels, layouts.output.shape.channels);
        let filters = Filters { kernel, stride, before, inputs, outputs };
        let Layouts { input, d_input, output, d_output } = layouts;
        Self {
            filters,
            kernels: T::kernels(),
            forward: ForwardConv::new(filters, input, output),
            input_gradient: if filters.by_winograd() {
                InputMethod::Winograd(Winograd::new(d_output, d_input, kernel - 1 - before[0]))
            } else {
                InputMethod::Gathered(InputGradients::new(filters, layouts))
            },
            weight_gradient: if winograd::applies(kernel, stride, inputs, outputs) {
                WeightMethod::Winograd(WinogradWeightGradient::new(input, d_output, before[0], batch))
            } else if PackedWeightGradient::<T>::applies(&filters) {
                WeightMethod::Packed(PackedWeightGradient::new(filters, layouts, batch))
            } else {
                WeightMethod::Gathered(WeightGradient::new(filters, layouts, batch))
            },
            bias_gradient: BiasGradient::new(d_output, batch),
        }
    }

    /// Halo that the gradient of the output needs, for an image of `height x width`.
    pub fn gradient_halo(
        kernel: usize,
        stride: usize,
        before: [usize; 2],
        input: [usize; 2],
        output: [usize; 2],
    ) -> usize {
        input_gradient::halo(kernel, stride, before, input, output)
    }
}

impl<T: Number> Layer<T> for Conv<T> {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let Forward { team, samples, params, input, output, .. } = pass;
        self.forward.run(team, samples, params, input, output, Finish::Nothing);
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let Filters { kernel, inputs, outputs, .. } = self.filters;
        let (kernels, samples) = (&self.kernels, pass.samples);
        let (d_weights, d_bias) = pass.grads.split_at_mut(self.filters.weights());
        match &mut self.weight_gradient {
            WeightMethod::Winograd(method) => {
                method.compute(pass.team, kernels, samples, pass.input, pass.d_output, d_weights);
            }
            WeightMethod::Packed(method) => {
                method.compute(pass.team, kernels, samples, pass.input, pass.d_output, d_weights);
            }
            WeightMethod::Gathered(method) => {
                method.compute(pass.team, kernels, samples, pass.input, pass.d_output, d_weights);
            }
        }
        self.bias_gradient.compute(pass.team, samples, pass.d_output, d_bias);

        let Some(d_input) = pass.d_input else { return };
        let weights = &pass.params[..self.filters.weights()];
        match &mut self.input_gradient {
            InputMethod::Winograd(winograd) => {
                // The same convolution, of the gradient, with filters turned half round.
                let turned = |r| kernel - 1 - r;
                winograd.prepare(pass.team, |r, s, o, i| {
                    weights[((turned(r) * kernel + turned(s)) * inputs + i) * outputs + o]
                });
                let start = if d_input.accumulate { Start::Existing } else { Start::Zero };
                winograd.run(
                    pass.team,
                    kernels,
                    samples,
                    pass.d_output,
                    d_input.values,
                    (start, Finish::Nothing),
                );
            }
            InputMethod::Gathered(method) => {
                method.compute(pass.team, kernels, samples, weights, pass.d_output, d_input);
            }
        }
    }
}
