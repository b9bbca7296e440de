//! What random layers draw in a pass, and those with one input: values or whole samples times a random factor.

use super::{Backward, Forward, InputGradient, Layer, Layouts, Mode, put};
use crate::{Number, layout::Layout, team::Share};
use sam_model::random::{Coefficient, Key, drop_connect, kept, shake_drop};

/// What the random numbers of a pass are counted from.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    pub key: Key,
    /// Position of the first sample in the step's batch.
    pub first: usize,
    /// Whether gradients have coefficients of their own.
    pub fresh: bool,
}

/// The factor that a random layer has, of each sample or of each value.
#[derive(Clone, Copy, Debug)]
pub enum Factor {
    Dropout { rate: f64 },
    DropConnect { rate: f64 },
    ShakeDrop { keep: f64 },
}

impl Factor {
    /// Of a whole sample; dropout has none.
    fn of_sample(self, node: usize, sample: usize, draws: Draws) -> Coefficient {
        let sample = draws.first + sample;
        match self {
            Self::Dropout { .. } => Coefficient::constant(1.0),
            Self::DropConnect { rate } => drop_connect(draws.key, node, sample, rate),
            Self::ShakeDrop { keep } => shake_drop(draws.key, node, sample, keep, draws.fresh),
        }
    }

    /// Without random numbers.
    const fn expectation(self) -> Coefficient {
        Coefficient::constant(match self {
            Self::Dropout { .. } | Self::DropConnect { .. } => 1.0,
            Self::ShakeDrop { keep } => keep as f32,
        })
    }
}

/// The layer of a random factor.
pub struct Scaled {
    factor: Factor,
    node: usize,
    layouts: Layouts,
    /// What the forward pass drew from.
    draws: Option<Draws>,
}

impl Scaled {
    pub const fn new(layouts: Layouts, node: usize, factor: Factor) -> Self {
        Self { factor, node, layouts, draws: None }
    }

    /// Writes or adds a sample times its factors, which `choose` takes from both.
    fn apply<T: Number>(
        &self,
        sample: usize,
        (to, to_layout): (&mut [T], Layout),
        (from, from_layout): (&[T], Layout),
        choose: impl Fn(Coefficient) -> f32,
        accumulate: bool,
    ) {
        let rows = to_layout.rows_mut(to).zip(from_layout.rows(from));
        match (self.factor, self.draws) {
            (Factor::Dropout { rate }, Some(draws)) => {
                let values = from_layout.shape.len();
                let mut numbers = draws.key.uniform(self.node, draws.first + sample, values);
                for (to, from) in rows {
                    let factors = numbers.by_ref().map(|number| T::of(f64::from(kept(number, rate))));
                    put(to, from.iter().zip(factors).map(|(&x, factor)| x * factor), accumulate);
                }
            }
            (own, draws) => {
                let coefficient =
                    draws.map_or_else(|| own.expectation(), |draws| own.of_sample(self.node, sample, draws));
                let factor = T::of(f64::from(choose(coefficient)));
                for (to, from) in rows {
                    put(to, from.iter().map(|&x| x * factor), accumulate);
                }
            }
        }
    }
}

impl<T: Number> Layer<T> for Scaled {
    fn forward(&mut self, pass: Forward<'_, T>) {
        self.draws = pass.draws.filter(|_| pass.mode != Mode::Evaluate);
        let (own, Layouts { input, output, .. }) = (&*self, self.layouts);
        pass.output
            .chunks_exact_mut(output.sample_len())
            .zip(pass.input.chunks_exact(input.sample_len()))
            .take(pass.samples)
            .enumerate()
            .share(pass.team, |(sample, (to, from))| {
                own.apply(sample, (to, output), (from, input), |c| c.forward, false);
            });
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let Some(InputGradient { values, accumulate }) = pass.d_input else { return };
        let (own, Layouts { d_input, d_output, .. }) = (&*self, self.layouts);
        values
            .chunks_exact_mut(d_input.sample_len())
            .zip(pass.d_output.chunks_exact(d_output.sample_len()))
            .take(pass.samples)
            .enumerate()
            .share(pass.team, |(sample, (to, from))| {
                own.apply(sample, (to, d_input), (from, d_output), |c| c.backward, accumulate);
            });
    }
}
