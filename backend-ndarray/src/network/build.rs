//! From the steps of a plan to layers with their buffers.

use crate::{
    Scalar,
    error::NetworkError,
    kernel::COLUMNS,
    layer::{
        AvgPool, BatchNorm, Conv, Dense, FoldedConv, Function, GlobalAvgPool, Layer, Layouts, MaxPool,
        Pointwise,
    },
    plan::{Edge, Place, Plan, Step},
};
use core::ops::Range;
use sam_model::{BatchNorm as Settings, Description, Op, Padding};

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
}

/// Elements of a buffer of `len` a sample, with a tile's width to spare: tiles read past the end of a row.
pub const fn buffer_len(len: usize, batch: usize) -> u128 {
    len as u128 * batch as u128 + COLUMNS as u128
}

/// Buffers of `lens` elements a sample; none is allocated unless all can be addressed.
pub fn buffers<T: Scalar>(lens: &[usize], batch: usize) -> Result<Vec<Vec<T>>, NetworkError> {
    let elements = |&len: &usize| {
        let elements = buffer_len(len, batch);
        // Tables of offsets are in 32 bits.
        u32::try_from(elements).map_err(|_| NetworkError::TooLarge(elements))
    };
    let elements: Vec<u32> = lens.iter().map(elements).collect::<Result<_, _>>()?;
    Ok(elements.into_iter().map(|elements| vec![T::zero(); elements as usize]).collect())
}

/// Refuses operations that are not computed yet, and forms of operations.
pub fn refuse_unknown(description: &Description) -> Result<(), NetworkError> {
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

pub fn tasks<T: Scalar>(plan: &Plan, batch: usize) -> Vec<Task<T>> {
    let steps: Vec<&Step> = plan.steps.iter().filter(|step| !step.skip).collect();
    let mut tasks: Vec<_> = steps.iter().map(|step| task(plan, step, batch)).collect();
    for (i, pair) in steps.windows(2).enumerate() {
        tasks[i].folded = folded(plan, pair[0], pair[1]);
    }
    tasks
}

/// `conv` and `norm` as one, if they are what they are called.
fn folded<T: Scalar>(plan: &Plan, conv: &Step, norm: &Step) -> Option<FoldedConv<T>> {
    let Op::Conv { kernel, stride, padding: Padding::Explicit(padding), .. } = conv.op else { return None };
    let alone = matches!(norm.op, Op::BatchNorm(_)) && norm.inputs[0].tensor == conv.output && norm.alone;
    let [input, output] = [conv.inputs[0].tensor, norm.output].map(|tensor| plan.values[tensor].layout);
    alone.then(|| FoldedConv::new(input, output, kernel, stride, padding, norm.fused_relu))
}

fn task<T: Scalar>(plan: &Plan, step: &Step, batch: usize) -> Task<T> {
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
        op => Kind::Layer(layer(op, step.fused_relu, layouts, batch)),
    };
    Task {
        kind,
        input,
        output,
        d_input,
        d_output,
        params: step.params.clone(),
        statistics: step.statistics.clone(),
        folded: None,
    }
}

fn layer<T: Scalar>(op: Op, fused_relu: bool, layouts: Layouts, batch: usize) -> Box<dyn Layer<T>> {
    match op {
        Op::Dense { .. } | Op::Classify { .. } => Box::new(Dense::new(layouts, batch)),
        Op::Conv { kernel, stride, padding: Padding::Explicit(padding), .. } => {
            Box::new(Conv::new(layouts, kernel, stride, padding, batch))
        }
        Op::BatchNorm(_) => Box::new(BatchNorm::new(layouts, fused_relu, batch)),
        Op::Swish => Box::new(Pointwise::new(layouts, Function::Swish)),
        Op::MaxPool { size, stride, .. } => {
            Box::new(MaxPool::new(layouts, [size, stride], fused_relu, batch))
        }
        Op::AvgPool { size, stride, .. } => Box::new(AvgPool::new(layouts, size, stride)),
        Op::GlobalAvgPool => Box::new(GlobalAvgPool(layouts)),
        _ => unreachable!("{op:?} is a kind of its own, or was refused"),
    }
}
