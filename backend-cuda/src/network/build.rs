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
    pub together: Option<Together>,
    pub tail: Option<Tail>,
    /// Whether forwards another task does it as well.
    pub done_before: bool,
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

/// What may be computed together with a convolution: an addition directly behind it, and the sums for a normalisation behind that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Together {
    /// The buffer of what is added.
    pub addend: Option<usize>,
    pub output: usize,
    pub channels: usize,
}

impl Together {
    fn new(description: &Description, plan: &Plan, step: usize) -> Option<Self> {
        let next = |step: usize| plan.steps[step + 1..].iter().find(|step| !step.skip);
        let own = &plan.steps[step];
        if !matches!(own.op, Op::Conv { groups: 1, bias: false, .. }) {
            return None;
        }
        let mut behind = next(step)?;
        let (mut last, mut addend) = (own.output, None);
        if matches!(behind.op, Op::Add) {
            let other = behind.inputs.iter().find(|&&input| input != own.output)?;
            description.sole_consumer(own.output).filter(|_| behind.inputs.contains(&own.output))?;
            (last, addend) = (behind.output, Some(plan.values[*other]));
            behind = next(behind.node())?;
        }
        let (output, channels) = (plan.values[last], description.shape(last).channels);
        let measured = matches!(behind.op, Op::BatchNorm(_)) && behind.inputs[0] == last;
        // Nobody says that a tensor may be read and written at a time.
        (measured && addend != Some(output)).then_some(Self { addend, output, channels })
    }

    /// Values before the sums of squares, behind the sums: up to where a library has its tensors begin.
    pub const fn squares(&self) -> usize {
        self.channels.next_multiple_of(4)
    }
}

/// What a normalisation does in the same sweep: the addition directly behind it, and the ReLU behind that. Bits are those of three sweeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// The buffer of what is added.
    pub addend: usize,
    pub relu: bool,
    pub output: usize,
    /// The steps behind the normalisation that it does.
    steps: usize,
}

impl Tail {
    fn new(description: &Description, plan: &Plan, step: usize) -> Option<Self> {
        let own = &plan.steps[step];
        let add = plan.steps.get(step + 1).filter(|add| matches!(add.op, Op::Add))?;
        if !matches!(own.op, Op::BatchNorm(_)) || own.fused_relu || !add.inputs.contains(&own.output) {
            return None;
        }
        description.sole_consumer(own.output)?;
        let other = add.inputs.iter().find(|&&input| input != own.output)?;
        let relu = plan
            .steps
            .get(step + 2)
            .filter(|relu| matches!(relu.op, Op::Relu) && !relu.skip && relu.inputs[0] == add.output);
        let relu = relu.filter(|_| description.sole_consumer(add.output).is_some());
        Some(Self {
            addend: plan.values[*other],
            relu: relu.is_some(),
            output: plan.values[relu.unwrap_or(add).output],
            steps: 1 + usize::from(relu.is_some()),
        })
    }
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
    let tasks: Result<Vec<Task>, _> = named
        .map(|(step, node)| task(device, description, plan, step, (node.name.to_string(), batch)))
        .collect();
    let mut tasks = tasks?;
    for step in 0..tasks.len() {
        let covered = tasks[step].tail.map_or(0, |tail| tail.steps);
        tasks[step + 1..][..covered].iter_mut().for_each(|task| task.done_before = true);
    }
    Ok(tasks)
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
        together: Together::new(description, plan, step.node()),
        tail: Tail::new(description, plan, step.node()),
        done_before: false,
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
