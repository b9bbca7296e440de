//! From the steps of a plan to layers with their buffers.

use core::ops::Range;

use sam_model::{Description, Op, Shape};

use crate::{
    CudaError, Device, Precision,
    kernels::PoolShape,
    layer::{
        AvgPool, BatchNorm, Conv, Draws, Dropout, Function, GlobalAvgPool, GroupedConv, Layer, MaxPool,
        PadChannels, Pair, PairFunction, Pointwise, Relu, ScaleSamples, Subsample,
    },
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
    /// Two inputs whose gradients differ.
    Pair {
        pair: Pair,
        second: usize,
    },
    /// Nothing to launch.
    Skip,
}

impl Task {
    pub fn set_precision(&mut self, precision: Precision) {
        if let Kind::Layer(layer) = &mut self.kind {
            layer.set_precision(precision);
        }
    }

    pub fn scratch_bytes(&self, samples: usize) -> usize {
        match &self.kind {
            Kind::Layer(layer) => layer.scratch_bytes(samples),
            Kind::Add { .. } | Kind::Pair { .. } | Kind::Skip => 0,
        }
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
    let second = || step.inputs[1];
    let pair = |function| Kind::Pair {
        pair: Pair { function, inputs: [shapes[0], description.shape(second())] },
        second: plan.values[second()],
    };
    let coefficients = Draws::place(description, step.node(), batch);
    let kind = match step.op {
        _ if step.skip => Kind::Skip,
        Op::Add => Kind::Add { second: plan.values[second()], len: shapes[1].len() },
        Op::Concat => pair(PairFunction::Concat),
        Op::Scale => pair(PairFunction::Scale),
        Op::ShakeShake => pair(PairFunction::ShakeShake { coefficients }),
        _ => Kind::Layer(layer(device, step, shapes, coefficients, batch)?),
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

/// Layers with one input.
fn layer(
    device: &Device,
    step: &Step,
    [input, output]: [Shape; 2],
    coefficients: usize,
    batch: usize,
) -> Result<Box<dyn Layer>, CudaError> {
    let (lens, len) = ([input.len(), output.len()], output.len());
    let before = step.op.windows(input).map_or([0; 2], |windows| windows.map(|along| along.before));
    let pool = |size, stride| PoolShape::new(input, output, [size, size], stride, before);
    let pointwise = |function| Box::new(Pointwise { function, len });
    Ok(match step.op {
        Op::Dense { .. } | Op::Classify { .. } => Box::new(Conv::new(input, output, 1, 1, [0, 0], true)),
        Op::Conv { kernel, stride, groups: 1, bias, .. } => {
            Box::new(Conv::new(input, output, kernel, stride, before, bias))
        }
        Op::Conv { kernel, stride, groups, bias, .. } => {
            Box::new(GroupedConv::new([input, output], kernel, stride, before, groups, bias))
        }
        Op::BatchNorm(settings) => Box::new(BatchNorm::new(device, input, settings, step.fused_relu)?),
        Op::Relu => Box::new(Relu { len }),
        Op::Relu6 => pointwise(Function::Relu6),
        Op::Swish => pointwise(Function::Swish),
        Op::Sigmoid => pointwise(Function::Sigmoid),
        Op::MaxPool { size, stride, .. } => Box::new(MaxPool::new(device, pool(size, stride), lens, batch)?),
        Op::AvgPool { size, stride, .. } => Box::new(AvgPool { shape: pool(size, stride), lens }),
        Op::GlobalAvgPool => Box::new(GlobalAvgPool::new(input, output)),
        Op::Subsample { stride, shift } => Box::new(Subsample::new([input, output], stride, shift)),
        Op::PadChannels { channels } => {
            Box::new(PadChannels { pixels: input.pixels(), channels: [input.channels, channels] })
        }
        Op::Dropout { rate } => Box::new(Dropout { len, node: step.node(), rate }),
        Op::DropConnect { .. } | Op::ShakeDrop { .. } => Box::new(ScaleSamples { len, coefficients }),
        op @ (Op::Flatten | Op::Add | Op::Concat | Op::Scale | Op::ShakeShake) => {
            unreachable!("{op:?} is a kind of task of its own")
        }
    })
}
