//! The layers: each launches the kernels of its forward pass and of its backward pass. Nothing is computed here.
//!
//! Layers work on addresses: the [plan](crate::plan) decides which tensors share memory, and sees to it that a layer's
//! buffers are as large as the largest batch needs.

mod add;
mod batch_norm;
mod conv;
mod draw;
mod global_pool;
mod grouped;
mod pad_channels;
mod pair;
mod pointwise;
mod pool;
mod relu;
mod subsample;

pub(crate) use add::add;
pub(crate) use batch_norm::BatchNorm;
pub(crate) use conv::{Choosing, Conv};
pub(crate) use draw::{Drawn, Draws, Dropout, ScaleSamples};
pub(crate) use global_pool::GlobalAvgPool;
pub(crate) use grouped::GroupedConv;
pub(crate) use pad_channels::PadChannels;
pub(crate) use pair::{Pair, PairBackward, PairForward, PairFunction};
pub(crate) use pointwise::{Function, Pointwise};
pub(crate) use pool::{AvgPool, MaxPool};
pub(crate) use relu::Relu;
pub(crate) use subsample::Subsample;

use crate::{
    ChosenKernel, CudaError, Device, Precision, Ptr, PtrMut, element::Value, kernels::ActivationKernels,
};

/// Where kernels run, and those for what activations are kept as.
pub(crate) type On<'a> = (&'a Device, &'a ActivationKernels);

/// What a pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Gradient at the parameters: batch statistics, which the running ones follow.
    Clean,
    /// Gradient at perturbed parameters: batch statistics, the running ones stay.
    Perturbed,
    /// Gradient with running statistics, which stay.
    Frozen,
    /// Running statistics, nothing changes.
    Evaluate,
}

/// Operands of a forward pass: `samples` samples each of input and output.
pub(crate) struct Forward<'a> {
    pub device: &'a Device,
    /// Those for what activations are kept as.
    pub kernels: &'a ActivationKernels,
    pub mode: Mode,
    pub samples: usize,
    /// The layer's own.
    pub params: Ptr<f32>,
    pub statistics: PtrMut<f32>,
    pub input: Ptr<Value>,
    pub output: PtrMut<Value>,
    pub drawn: Drawn,
    /// Of each channel of the input the sum over all samples and pixels, and that of the squares, where the layer before has left them.
    pub sums: Option<[Ptr<f32>; 2]>,
    /// What a normalisation that has no ReLU of its own does besides.
    pub residual: Option<Residual>,
    /// Memory for what one kernel leaves to the next, [`Layer::scratch_bytes`] of it.
    pub scratch: PtrMut<f64>,
}

/// Operands of a backward pass.
pub(crate) struct Backward<'a> {
    pub device: &'a Device,
    /// As in [`Forward`].
    pub kernels: &'a ActivationKernels,
    pub samples: usize,
    pub params: Ptr<f32>,
    /// Overwritten with the gradient of `params`.
    pub grads: PtrMut<f32>,
    pub input: Ptr<Value>,
    pub output: Ptr<Value>,
    pub d_output: Ptr<Value>,
    pub drawn: Drawn,
    /// The input's gradient, unless nobody needs it.
    pub d_input: Option<InputGradient>,
    pub scratch: PtrMut<f64>,
}

/// Where an input's gradient goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InputGradient {
    pub values: PtrMut<Value>,
    /// Whether another layer has put its share there already.
    pub accumulate: bool,
}

/// An addition behind a normalisation, and the ReLU behind that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Residual {
    pub addend: Ptr<Value>,
    pub relu: bool,
}

/// What is computed together with a layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behind {
    /// Added to the output.
    pub addend: Option<Ptr<Value>>,
    /// Where sums of that go, and sums of squares.
    pub sums: [PtrMut<f32>; 2],
}

/// A layer with one input.
pub(crate) trait Layer: Send {
    fn forward(&mut self, pass: Forward<'_>) -> Result<(), CudaError>;
    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError>;

    /// The forward pass together with what stands behind it, where that was chosen; else nothing, and `false`.
    fn forward_fused(&mut self, _pass: &Forward<'_>, _behind: &Behind) -> Result<bool, CudaError> {
        Ok(false)
    }

    /// What the layer's products are of, if it has any; the device must be able to.
    fn set_precision(&mut self, _precision: Precision) {}

    /// Chooses kernels for the layer's products in the precision that is set, if it has any.
    fn choose(&mut self, _choosing: &Choosing<'_>) -> Result<Vec<ChosenKernel>, CudaError> {
        Ok(Vec::new())
    }

    /// Bytes of scratch memory that either pass needs for a batch of `samples`.
    fn scratch_bytes(&self, _samples: usize) -> usize {
        0
    }
}
