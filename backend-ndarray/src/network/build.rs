//! From the steps of a plan to layers with their buffers.

use crate::{
    Number,
    buffer::Buffer,
    error::NetworkError,
    kernel::COLUMNS,
    layer::{
        AvgPool, BatchNorm, Conv, Dense, Factor, FoldedConv, Function, GlobalAvgPool, GroupedConv, Layer,
        Layouts, MaxPool, PadChannels, Pair, PairFunction, PairLayouts, Pointwise, Scaled, Subsample,
        Windows,
    },
    layout::Layout,
    plan::{Edge, Place, Plan, Step},
};
use core::ops::Range;
use sam_model::Op;

/// A step of the plan, ready to run.
pub struct Task<T> {
    pub kind: Kind<T>,
    pub input: Place,
    pub output: Place,
    /// Buffer of the input's gradient, and whether to add to what is there.
    pub d_input: Option<(Place, bool)>,
    pub d_output: Option<Place>,
    pub params: Range<usize>,
    pub statistics: Range<usize>,
    /// Which part of the network it belongs to, whose activations are computed again as a whole.
    pub segment: usize,
    /// A convolution's, if the next task is the batch normalisation of its output and of nothing else.
    pub folded: Option<FoldedConv<T>>,
}

pub enum Kind<T> {
    Layer(Box<dyn Layer<T>>),
    /// In place where input and output share a buffer.
    Relu,
    /// Copies where input and output do not share a buffer.
    Flatten,
    /// Adds the second input to the first, which the output usually shares a buffer with.
    Add {
        second: Place,
        d_second: Option<(Place, bool)>,
    },
    /// Two inputs whose gradients differ.
    Pair {
        layer: Box<Pair>,
        second: Place,
        d_second: Option<(Place, bool)>,
    },
}

/// Elements of a buffer of `len` a sample, with a tile's width to spare: tiles read past the end of a row.
pub const fn buffer_len(len: usize, batch: usize) -> u128 {
    len as u128 * batch as u128 + COLUMNS as u128
}

/// Buffers of `lens` elements a sample; none is allocated unless all can be addressed.
pub fn buffers<T: Number>(lens: &[usize], batch: usize) -> Result<Vec<Buffer<T>>, NetworkError> {
    let elements = |&len: &usize| {
        let elements = buffer_len(len, batch);
        // Tables of offsets are in 32 bits.
        u32::try_from(elements).map_err(|_| NetworkError::TooLarge(elements))
    };
    let elements: Vec<u32> = lens.iter().map(elements).collect::<Result<_, _>>()?;
    Ok(elements.into_iter().map(|elements| Buffer::zeros(elements as usize)).collect())
}

pub fn tasks<T: Number>(plan: &Plan, batch: usize) -> Vec<Task<T>> {
    let steps: Vec<&Step> = plan.steps.iter().filter(|step| !step.skip).collect();
    let mut tasks: Vec<_> = steps.iter().map(|step| task(plan, step, batch)).collect();
    for (i, pair) in steps.windows(2).enumerate() {
        tasks[i].folded = folded(plan, pair[0], pair[1]);
    }
    tasks
}

/// `conv` and `norm` as one, if they are what they are called and the convolution is of one group.
fn folded<T: Number>(plan: &Plan, conv: &Step, norm: &Step) -> Option<FoldedConv<T>> {
    let (Op::Conv { kernel, stride, groups: 1, .. }, Op::BatchNorm(settings)) = (conv.op, norm.op) else {
        return None;
    };
    let alone = norm.inputs[0].tensor == conv.output && norm.alone;
    let [input, output] = [conv.inputs[0].tensor, norm.output].map(|tensor| plan.values[tensor].layout);
    let before = before(conv.op, input);
    let finish = (norm.fused_relu, settings.epsilon);
    alone.then(|| FoldedConv::new(input, output, kernel, stride, before, finish))
}

/// Rows and columns of padding before the image of a convolution or pooling.
fn before(op: Op, input: Layout) -> [usize; 2] {
    op.windows(input.shape).map_or([0; 2], |windows| windows.map(|along| along.before))
}

fn task<T: Number>(plan: &Plan, step: &Step, batch: usize) -> Task<T> {
    let gradient = |edge: &Edge| plan.gradients[edge.tensor].map(|place| (place, edge.accumulate));
    let first = &step.inputs[0];
    let (input, output) = (plan.values[first.tensor], plan.values[step.output]);
    let (d_input, d_output) = (gradient(first), plan.gradients[step.output]);
    // Where no gradient is wanted any layout does.
    let layouts = Layouts {
        input: input.layout,
        d_input: d_input.map_or(input.layout, |(place, _)| place.layout),
        output: output.layout,
        d_output: d_output.map_or(output.layout, |place| place.layout),
    };
    let kind = match step.op {
        Op::Relu => Kind::Relu,
        Op::Flatten => Kind::Flatten,
        Op::Add => {
            let second = &step.inputs[1];
            Kind::Add { second: plan.values[second.tensor], d_second: gradient(second) }
        }
        Op::Concat | Op::Scale | Op::ShakeShake => {
            let edge = &step.inputs[1];
            let (second, d_second) = (plan.values[edge.tensor], gradient(edge));
            let layouts = PairLayouts {
                inputs: [layouts.input, second.layout],
                d_inputs: [layouts.d_input, d_second.map_or(second.layout, |(place, _)| place.layout)],
                output: layouts.output,
                d_output: layouts.d_output,
            };
            let function = match step.op {
                Op::Concat => PairFunction::Concat,
                Op::Scale => PairFunction::Scale,
                _ => PairFunction::ShakeShake,
            };
            Kind::Pair { layer: Box::new(Pair::new(layouts, step.node(), function)), second, d_second }
        }
        _ => Kind::Layer(layer(step, layouts, batch)),
    };
    Task {
        kind,
        input,
        output,
        d_input,
        d_output,
        params: step.params.clone(),
        statistics: step.statistics.clone(),
        segment: step.segment,
        folded: None,
    }
}

fn layer<T: Number>(step: &Step, layouts: Layouts, batch: usize) -> Box<dyn Layer<T>> {
    let before = before(step.op, layouts.input);
    let windows = |size, stride| Windows { layouts, size, stride, before };
    let pointwise = |function| Box::new(Pointwise::new(layouts, function));
    let scaled = |factor| Box::new(Scaled::new(layouts, step.node(), factor));
    match step.op {
        Op::Dense { .. } | Op::Classify { .. } => Box::new(Dense::new(layouts, batch)),
        Op::Conv { kernel, stride, groups: 1, .. } => {
            Box::new(Conv::new(layouts, kernel, stride, before, batch))
        }
        Op::Conv { kernel, stride, groups, .. } => {
            Box::new(GroupedConv::new(layouts, (kernel, stride, before), groups, batch))
        }
        Op::BatchNorm(settings) => Box::new(BatchNorm::new(layouts, settings, step.fused_relu, batch)),
        Op::Relu6 => pointwise(Function::Relu6),
        Op::Swish => pointwise(Function::Swish),
        Op::Sigmoid => pointwise(Function::Sigmoid),
        Op::MaxPool { size, stride, .. } => {
            Box::new(MaxPool::new(windows(size, stride), step.fused_relu, batch))
        }
        Op::AvgPool { size, stride, .. } => Box::new(AvgPool(windows(size, stride))),
        Op::GlobalAvgPool => Box::new(GlobalAvgPool(layouts)),
        Op::Subsample { stride, shift } => Box::new(Subsample::new(layouts, stride, shift)),
        Op::PadChannels { .. } => Box::new(PadChannels(layouts)),
        Op::Dropout { rate } => scaled(Factor::Dropout { rate }),
        Op::DropConnect { rate } => scaled(Factor::DropConnect { rate }),
        Op::ShakeDrop { keep } => scaled(Factor::ShakeDrop { keep }),
        op @ (Op::Relu | Op::Flatten | Op::Add | Op::Concat | Op::Scale | Op::ShakeShake) => {
            unreachable!("{op:?} is a kind of its own")
        }
    }
}
