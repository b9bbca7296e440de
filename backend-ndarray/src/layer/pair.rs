//! Layers with two inputs whose gradients differ.

use super::{InputGradient, Mode, put, random::Draws};
use crate::{
    Number,
    layout::Layout,
    team::{Share, Team},
};
use sam_model::random::{Coefficient, shake_shake};

/// How a layer's tensors lie, and those of its inputs' gradients.
#[derive(Clone, Copy)]
pub struct PairLayouts {
    pub inputs: [Layout; 2],
    pub d_inputs: [Layout; 2],
    pub output: Layout,
    pub d_output: Layout,
}

/// Operands of a forward pass of `samples` samples.
pub struct PairForward<'a, T> {
    pub team: &'a Team,
    pub mode: Mode,
    pub draws: Option<Draws>,
    pub samples: usize,
    pub inputs: [&'a [T]; 2],
    pub output: &'a mut [T],
}

/// Operands of a backward pass to one of both inputs.
pub struct PairBackward<'a, T> {
    pub team: &'a Team,
    pub samples: usize,
    pub inputs: [&'a [T]; 2],
    pub d_output: &'a [T],
    pub d_input: InputGradient<'a, T>,
}

/// What a layer of two inputs does with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairFunction {
    /// The channels of both, the first one's before the second one's.
    Concat,
    /// The first, each channel times the second's value.
    Scale,
    /// Shares of both that are random in training.
    ShakeShake,
}

/// A layer of two inputs.
pub struct Pair {
    function: PairFunction,
    node: usize,
    layouts: PairLayouts,
    /// What the forward pass drew from.
    draws: Option<Draws>,
}

impl Pair {
    pub const fn new(layouts: PairLayouts, node: usize, function: PairFunction) -> Self {
        Self { function, node, layouts, draws: None }
    }

    /// The first input's share of a sample's mixture.
    fn share(&self, sample: usize) -> Coefficient {
        self.draws.map_or(Coefficient::constant(0.5), |draws| {
            shake_shake(draws.key, self.node, draws.first + sample, draws.fresh)
        })
    }

    pub fn forward<T: Number>(&mut self, pass: PairForward<'_, T>) {
        self.draws = pass.draws.filter(|_| pass.mode != Mode::Evaluate);
        let (own, PairLayouts { inputs: [first, second], output, .. }) = (&*self, self.layouts);
        let [a, b] = pass.inputs;
        pass.output
            .chunks_exact_mut(output.sample_len())
            .zip(a.chunks_exact(first.sample_len()).zip(b.chunks_exact(second.sample_len())))
            .take(pass.samples)
            .enumerate()
            .share(pass.team, |(sample, (to, (a, b)))| {
                let factors = &b[second.pixel(0, 0)..][..second.shape.channels];
                let share = own.share(sample).forward;
                let [share, rest] = [f64::from(share), 1.0 - f64::from(share)].map(T::of);
                for (row, (to, a)) in output.rows_mut(to).zip(first.rows(a)).enumerate() {
                    match own.function {
                        PairFunction::Concat => concat(to, a, row_of(b, second, row), [first, second]),
                        PairFunction::Scale => {
                            let pixels =
                                to.chunks_exact_mut(factors.len()).zip(a.chunks_exact(factors.len()));
                            for (to, a) in pixels {
                                put(to, a.iter().zip(factors).map(|(&a, &f)| a * f), false);
                            }
                        }
                        PairFunction::ShakeShake => {
                            let b = row_of(b, second, row);
                            put(to, a.iter().zip(b).map(|(&a, &b)| share * a + rest * b), false);
                        }
                    }
                }
            });
    }

    /// The gradient of the input of that position.
    pub fn backward<T: Number>(&mut self, position: usize, pass: PairBackward<'_, T>) {
        let (own, PairLayouts { inputs: [first, second], d_inputs, d_output, .. }) = (&*self, self.layouts);
        let (to_layout, [a, b]) = (d_inputs[position], pass.inputs);
        let InputGradient { values, accumulate } = pass.d_input;
        values
            .chunks_exact_mut(to_layout.sample_len())
            .zip(pass.d_output.chunks_exact(d_output.sample_len()))
            .zip(a.chunks_exact(first.sample_len()).zip(b.chunks_exact(second.sample_len())))
            .take(pass.samples)
            .enumerate()
            .share(pass.team, |(sample, ((to, g), (a, b)))| {
                if own.function == PairFunction::Scale && position == 1 {
                    let to = &mut to[to_layout.pixel(0, 0)..][..to_layout.shape.channels];
                    add_pixels(to, (a, first), (g, d_output), accumulate);
                    return;
                }
                let factors = &b[second.pixel(0, 0)..][..second.shape.channels];
                let share = f64::from(own.share(sample).backward);
                let share = T::of(if position == 0 { share } else { 1.0 - share });
                for (to, g) in to_layout.rows_mut(to).zip(d_output.rows(g)) {
                    match own.function {
                        PairFunction::Concat => {
                            let before = if position == 0 { 0 } else { first.shape.channels };
                            let (channels, all) = (to_layout.shape.channels, d_output.shape.channels);
                            for (to, g) in to.chunks_exact_mut(channels).zip(g.chunks_exact(all)) {
                                put(to, g[before..][..channels].iter().copied(), accumulate);
                            }
                        }
                        PairFunction::Scale => {
                            let pixels =
                                to.chunks_exact_mut(factors.len()).zip(g.chunks_exact(factors.len()));
                            for (to, g) in pixels {
                                put(to, g.iter().zip(factors).map(|(&g, &f)| g * f), accumulate);
                            }
                        }
                        PairFunction::ShakeShake => put(to, g.iter().map(|&g| g * share), accumulate),
                    }
                }
            });
    }
}

/// A row of a sample's image.
fn row_of<T>(sample: &[T], layout: Layout, row: usize) -> &[T] {
    &sample[layout.pixel(row as isize, 0)..][..layout.row_len()]
}

fn concat<T: Copy>(to: &mut [T], a: &[T], b: &[T], layouts: [Layout; 2]) {
    let [first, second] = layouts.map(|layout| layout.shape.channels);
    let pixels = a.chunks_exact(first).zip(b.chunks_exact(second));
    for (to, (a, b)) in to.chunks_exact_mut(first + second).zip(pixels) {
        to[..first].copy_from_slice(a);
        to[first..].copy_from_slice(b);
    }
}

/// Writes or adds, for each channel, the sum of products over all pixels of a sample.
fn add_pixels<T: Number>(to: &mut [T], a: (&[T], Layout), g: (&[T], Layout), accumulate: bool) {
    if !accumulate {
        to.fill(T::zero());
    }
    for (a, g) in a.1.rows(a.0).zip(g.1.rows(g.0)) {
        for (a, g) in a.chunks_exact(to.len()).zip(g.chunks_exact(to.len())) {
            put(to, a.iter().zip(g).map(|(&a, &g)| a * g), true);
        }
    }
}
