//! Functions of one value, other than ReLU, whose gradient is a function of the input.

#![allow(unsafe_code, reason = "launches of kernels")]

use super::{Backward, Forward, Layer};
use crate::{CudaError, Kernel, Ptr, PtrMut, element::Value, kernels::ActivationKernels};

/// A function that is applied value by value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Function {
    /// `x s(x)`, `s` being the logistic function.
    Swish,
    /// `s(x)`.
    Sigmoid,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

/// Of x, n, y.
type Values = Kernel<(Ptr<Value>, u32, PtrMut<Value>)>;
/// Of x, dy, n, accumulate, dx.
type Slopes = Kernel<(Ptr<Value>, Ptr<Value>, u32, i32, PtrMut<Value>)>;

impl Function {
    const fn kernels(self, all: &ActivationKernels) -> (&Values, &Slopes) {
        match self {
            Self::Swish => (&all.swish_forward, &all.swish_backward),
            Self::Sigmoid => (&all.sigmoid_forward, &all.sigmoid_backward),
            Self::Relu6 => (&all.relu6_forward, &all.relu6_backward),
        }
    }
}

/// The layer of a function; the gradients may take each other's place.
pub(crate) struct Pointwise {
    pub function: Function,
    /// Values a sample.
    pub len: usize,
}

impl Layer for Pointwise {
    fn forward(&mut self, pass: Forward<'_>) -> Result<(), CudaError> {
        let n = (pass.samples * self.len) as u32;
        let (values, _) = self.function.kernels(pass.kernels);
        // SAFETY: both have n entries.
        unsafe { pass.device.launch(values, pass.kernels.vectors(n), (pass.input, n, pass.output)) }
    }

    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError> {
        let Some(to) = pass.d_input else { return Ok(()) };
        let n = (pass.samples * self.len) as u32;
        let (_, slopes) = self.function.kernels(pass.kernels);
        let arguments = (pass.input, pass.d_output, n, i32::from(to.accumulate), to.values);
        // SAFETY: as above; the kernel is made to work in place.
        unsafe { pass.device.launch(slopes, pass.kernels.vectors(n), arguments) }
    }
}
