//! The layers: each computes its output for a batch, and from the output's gradient its parameters' gradient and
//! its input's.
//!
//! What is summed over samples is summed by groups of [`GROUP`] whatever the number of threads, and the groups' sums are
//! added up in their order: results have the same bits on one thread and on many.

mod batch_norm;
mod conv;
mod dense;
pub mod flatten;
mod pair;
mod pointwise;
mod pool;
mod random;
pub mod relu;
mod slice;

pub use batch_norm::BatchNorm;
pub use conv::{Conv, FoldedConv, GroupedConv};
pub use dense::Dense;
pub use pair::{Pair, PairBackward, PairForward, PairFunction, PairLayouts};
pub use pointwise::{Function, Pointwise};
pub use pool::{AvgPool, GlobalAvgPool, MaxPool, Windows};
pub use random::{Draws, Factor, Scaled};
pub use slice::{PadChannels, Subsample};

use crate::{
    layout::Layout,
    team::{Share, Team},
    wide::wide,
};

/// Samples whose sums one task computes.
pub const GROUP: usize = 8;

/// Pixels that are worth a task.
const PIXELS_A_TASK: usize = 784;

/// Samples of an image that one task computes where nothing is summed over samples, at most [`GROUP`]: fewer of large
/// ones, so that members of a team end a layer together.
fn samples_a_task(image: Layout) -> usize {
    (PIXELS_A_TASK / image.shape.pixels()).clamp(1, GROUP)
}

/// How a layer's four tensors lie. Others decide: whoever reads a tensor needs the halo, whoever writes it leaves it zero.
#[derive(Clone, Copy)]
pub struct Layouts {
    pub input: Layout,
    pub d_input: Layout,
    pub output: Layout,
    pub d_output: Layout,
}

/// What a pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Gradient at the parameters: batch statistics, which the running ones follow.
    Clean,
    /// Gradient at perturbed parameters: batch statistics, the running ones stay.
    Perturbed,
    /// Gradient at any parameters: running statistics, which it takes for constants and which stay.
    Frozen,
    /// Running statistics, and no gradient follows.
    Evaluate,
}

/// Operands of a forward pass: `samples` samples each of input and output.
pub struct Forward<'a, T> {
    pub team: &'a Team,
    pub mode: Mode,
    /// What random layers draw from; without it they act by expectation.
    pub draws: Option<Draws>,
    pub samples: usize,
    pub params: &'a [T],
    pub statistics: &'a mut [T],
    pub input: &'a [T],
    pub output: &'a mut [T],
}

/// Operands of a backward pass.
pub struct Backward<'a, T> {
    pub team: &'a Team,
    pub samples: usize,
    pub params: &'a [T],
    /// Overwritten with the gradient of `params`.
    pub grads: &'a mut [T],
    pub input: &'a [T],
    pub d_output: &'a [T],
    /// The input's gradient, unless nobody needs it.
    pub d_input: Option<InputGradient<'a, T>>,
}

/// Where an input's gradient goes.
pub struct InputGradient<'a, T> {
    pub values: &'a mut [T],
    /// Whether another layer has put its share there already.
    pub accumulate: bool,
}

/// A layer with one input.
///
/// Buffers are as long as the largest batch needs and some elements longer; only whole samples count. Halos are
/// zero and stay zero.
pub trait Layer<T>: Send {
    fn forward(&mut self, pass: Forward<'_, T>);
    fn backward(&mut self, pass: Backward<'_, T>);
}

/// Writes or adds values.
#[inline(always)]
fn put<T: crate::Number>(to: &mut [T], values: impl Iterator<Item = T>, accumulate: bool) {
    if accumulate {
        to.iter_mut().zip(values).for_each(|(to, value)| *to += value);
    } else {
        to.iter_mut().zip(values).for_each(|(to, value)| *to = value);
    }
}

/// Sums that one task adds up.
const SUMS_A_TASK: usize = 4096;

/// Overwrites `sums` with what each group has summed up, added in the groups' order; only the front of each counts.
fn add_groups<'a, T: crate::Number>(
    team: &Team,
    groups: impl Iterator<Item = &'a [T]> + Clone + Sync,
    sums: &mut [T],
) {
    sums.chunks_mut(SUMS_A_TASK).enumerate().share(team, |(task, sums)| {
        for (before, group) in groups.clone().enumerate() {
            put(sums, group[task * SUMS_A_TASK..][..sums.len()].iter().copied(), before > 0);
        }
    });
}

/// Adds all pixels of a row to its first.
#[inline(always)]
fn fold<T: crate::Number>(row: &mut [T], channels: usize) {
    let (first, rest) = row.split_at_mut(channels);
    for pixel in rest.chunks_exact(channels) {
        put(first, pixel.iter().copied(), true);
    }
}

/// Writes or adds a tensor to another of the same shape.
pub fn add<T: crate::Number>(
    team: &Team,
    samples: usize,
    (from, from_layout): (&[T], Layout),
    (to, to_layout): (&mut [T], Layout),
    accumulate: bool,
) {
    to.chunks_exact_mut(to_layout.sample_len())
        .zip(from.chunks_exact(from_layout.sample_len()))
        .take(samples)
        .share(team, |(to, from)| add_sample(to, to_layout, from, from_layout, accumulate));
}

wide! {
fn add_sample(to: &mut [T], to_layout: Layout, from: &[T], from_layout: Layout, accumulate: bool) {
    for (to, from) in to_layout.rows_mut(to).zip(from_layout.rows(from)) {
        put(to, from.iter().copied(), accumulate);
    }
}
}
