//! From the steps of a plan to layers with their buffers.

use core::ops::Range;

use sam_model::{BatchNorm as Settings, Description, Op, Padding, Shape};

use crate::{
    CudaError, Device, DeviceVec,
    layer::{AvgPool, BatchNorm, Conv, Function, Layer, MaxPool, Pointwise, PoolShape, Relu},
    network::NetworkError,
    plan::{Plan, Step},
};

/// A step of the plan, ready to run; numbers are those of buffers.
pub(super) struct Task {
    /// The layer's name.
    pub name: String,
    pub kind: Kind,
    pub input: usize,
    pub output: usize,
    pub params: Range<usize>,
    pub statistics: Range<usize>,
}

pub(super) enum Kind {
    Layer(Box<dyn Layer>),
    /// Adds the second tensor to the first.
    Add {
        second: usize,
        /// Values a sample.
        len: usize,
    },
    /// Nothing to launch.
    Skip,
}

impl Task {
    pub fn scratch_bytes(&self, samples: usize) -> usize {
        match &self.kind {
            Kind::Layer(layer) => layer.scratch_bytes(samples),
            Kind::Add { .. } | Kind::Skip => 0,
        }
    }
}

/// A buffer for each length, `batch` times as long.
pub(super) fn buffers(
    device: &Device,
    lens: &[usize],
    batch: usize,
) -> Result<Vec<DeviceVec<f32>>, CudaError> {
    let buffer = |&len: &usize| {
        let found = len as u128 * batch as u128;
        let len = usize::try_from(found).map_err(|_| CudaError::TooLarge { what: "activations", found })?;
        DeviceVec::zeros(device, len)
    };
    lens.iter().map(buffer).collect()
}

/// Refuses operations that have no kernels yet, and forms of operations.
pub(super) fn refuse_unknown(description: &Description) -> Result<(), NetworkError> {
    let known = |op: Op| match op {
        Op::Conv { padding, groups, .. } => matches!(padding, Padding::Explicit(_)) && groups == 1,
        Op::BatchNorm(settings) => settings == Settings::PYTORCH,
        Op::MaxPool { padding, .. } | Op::AvgPool { padding, .. } => padding == Padding::Explicit(0),
        Op::Flatten
        | Op::Dense { .. }
        | Op::Classify { .. }
        | Op::Relu
        | Op::Swish
        | Op::GlobalAvgPool
        | Op::Add => true,
        Op::Relu6
        | Op::Sigmoid
        | Op::Subsample { .. }
        | Op::PadChannels { .. }
        | Op::Concat
        | Op::Scale
        | Op::Dropout { .. }
        | Op::DropConnect { .. }
        | Op::ShakeShake
        | Op::ShakeDrop { .. } => false,
    };
    match description.nodes().iter().find(|node| !known(node.op)) {
        None => Ok(()),
        Some(node) => Err(NetworkError::Operation { layer: node.name.to_string(), op: node.op }),
    }
}

pub(super) fn tasks(
    device: &Device,
    description: &Description,
    plan: &Plan,
    batch: usize,
) -> Result<Vec<Task>, CudaError> {
    let named = plan.steps.iter().zip(description.nodes());
    named.map(|(step, node)| task(device, description, plan, step, (node.name.to_string(), batch))).collect()
}

fn task(
    device: &Device,
    description: &Description,
    plan: &Plan,
    step: &Step,
    (name, batch): (String, usize),
) -> Result<Task, CudaError> {
    let first = step.inputs[0];
    let shapes = [description.shape(first), description.shape(step.output)];
    let kind = match step.op {
        _ if step.skip => Kind::Skip,
        Op::Add => Kind::Add { second: plan.values[step.inputs[1]], len: shapes[1].len() },
        op => Kind::Layer(layer(device, op, step.fused_relu, shapes, batch)?),
    };
    Ok(Task {
        name,
        kind,
        input: plan.values[first],
        output: plan.values[step.output],
        params: step.params.clone(),
        statistics: step.statistics.clone(),
    })
}

fn layer(
    device: &Device,
    op: Op,
    fused_relu: bool,
    [input, output]: [Shape; 2],
    batch: usize,
) -> Result<Box<dyn Layer>, CudaError> {
    let lens = [input.len(), output.len()];
    Ok(match op {
        Op::Dense { .. } | Op::Classify { .. } => Box::new(Conv::new(input, output, 1, 1, 0, true)),
        Op::Conv { kernel, stride, padding: Padding::Explicit(padding), bias, .. } => {
            Box::new(Conv::new(input, output, kernel, stride, padding, bias))
        }
        Op::BatchNorm(_) => Box::new(BatchNorm::new(device, input, fused_relu)?),
        Op::Relu => Box::new(Relu { len: output.len() }),
        Op::Swish => Box::new(Pointwise { function: Function::Swish, len: output.len() }),
        Op::MaxPool { size, stride, .. } => {
            Box::new(MaxPool::new(device, PoolShape::new(input, output, [size, size], stride), lens, batch)?)
        }
        Op::AvgPool { size, stride, .. } => {
            Box::new(AvgPool { shape: PoolShape::new(input, output, [size, size], stride), lens })
        }
        Op::GlobalAvgPool => {
            let whole = [input.height, input.width];
            Box::new(AvgPool { shape: PoolShape::new(input, output, whole, 1), lens })
        }
        _ => unreachable!("{op:?} is a kind of task of its own, or was refused"),
    })
}
