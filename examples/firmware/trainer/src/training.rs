//! The training loop: one step at a time, so that the caller may measure, draw or stop between two.

use sam_core::schedule::Schedule;
use sam_core::{GradientOracle, LengthMismatch, Outcome, Plain, Rule, Sam, Sgd, SliceSpace, StepError};

use crate::{Batch, BatchOrder, LastLayer, Network, Sensor, Set, Sight, Whole, XorShift};

/// Everything that determines the outcome of training, beside the images and the weights that it starts from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// The network.
    pub network: Network,
    /// Which of its layers learn.
    pub scope: Scope,
    /// How the images are seen.
    pub sensor: Sensor,
    /// With which steps.
    pub method: Method,
    /// Passes over the images.
    pub epochs: u32,
    /// Images a step; what is left over at the end of an epoch is not seen in it.
    pub batch: usize,
    /// Learning rate of the first step; it falls in a straight line to 0.
    pub lr: f32,
    /// Nesterov momentum.
    pub momentum: f32,
    /// Determines the order of the images.
    pub seed: u32,
}

/// Which layers learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All.
    All,
    /// The last.
    LastLayer,
}

/// With which steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// SGD with momentum.
    Sgd,
    /// SAM around it.
    Sam(Rule<f32>),
}

/// Memory of a training run, lent: arrays, or slices of arrays.
#[derive(Debug)]
pub struct Buffers<B> {
    /// All weights of the network.
    pub weights: B,
    /// As long as what learns.
    pub gradient: B,
    /// As long as what learns; may be empty for [`Method::Sgd`].
    pub perturbed: B,
    /// As long as what learns.
    pub momentum: B,
    /// [`Sight::words`].
    pub sight: B,
}

/// Why a step failed.
pub type Failure = StepError<LengthMismatch, LengthMismatch, LengthMismatch>;

/// A training run.
#[derive(Debug)]
pub struct Trainer<B: AsRef<[f32]> + AsMut<[f32]>> {
    /// What it follows. The method may be changed between steps.
    pub recipe: Recipe,
    /// All weights.
    pub weights: B,
    gradient: B,
    sight: B,
    sam: Sam<SliceSpace<f32, B>, Sgd<f32, B>>,
    random: XorShift,
    order: BatchOrder,
    done: u32,
}

impl<B: AsRef<[f32]> + AsMut<[f32]>> Trainer<B> {
    /// Before the first step, with the weights that are there.
    pub fn new(recipe: Recipe, buffers: Buffers<B>) -> Self {
        let Buffers { weights, gradient, perturbed, momentum, sight } = buffers;
        let base = Sgd::new(recipe.lr).with_momentum(recipe.momentum, momentum).with_nesterov();
        let sam = Sam::new(SliceSpace::new(perturbed), Rule::l2(0.0), base);
        let mut random = XorShift::new(recipe.seed);
        // Replaced when the first epoch begins.
        let order = BatchOrder::new(1, &mut random);
        Self { recipe, weights, gradient, sight, sam, random, order, done: 0 }
    }

    /// Steps taken.
    pub const fn done(&self) -> u32 {
        self.done
    }

    /// Steps that `set` makes altogether.
    pub fn steps(&self, set: &Set<'_>) -> u32 {
        self.recipe.epochs.saturating_mul(self.steps_of_epoch(set))
    }

    fn steps_of_epoch(&self, set: &Set<'_>) -> u32 {
        u32::try_from(set.len() / self.recipe.batch.max(1)).unwrap_or(u32::MAX)
    }

    /// The next step, on the next images of `set`: the loss before it and what became of it; `None` when
    /// all steps are taken.
    ///
    /// Cost: one gradient of the batch with [`Method::Sgd`], two with [`Method::Sam`].
    ///
    /// # Errors
    /// A buffer has the wrong length. Nothing has changed then.
    pub fn step(&mut self, set: &Set<'_>) -> Result<Option<(f32, Outcome)>, Failure> {
        let total = self.steps(set);
        if self.done >= total {
            return Ok(None);
        }
        let in_epoch = (self.done % self.steps_of_epoch(set)) as usize;
        if in_epoch == 0 {
            self.order = BatchOrder::new(set.len(), &mut self.random);
        }
        let start = in_epoch * self.recipe.batch;
        let places = start..start + self.recipe.batch;
        self.sam.base.lr = Schedule::linear(self.recipe.lr).rate(self.done.into(), total.into());

        let Recipe { network, sensor, .. } = self.recipe;
        let batch = Batch { set: *set, sensor, order: self.order, places };
        let sight = Sight::new(self.sight.as_mut(), network.hidden).map_err(StepError::Space)?;
        let (weights, g) = (self.weights.as_mut(), self.gradient.as_mut());
        Network::check(network.weights(), "network", weights).map_err(StepError::Space)?;
        let report = match self.recipe.scope {
            Scope::All => {
                take(self.recipe.method, &mut self.sam, weights, g, &mut Whole { network, batch, sight })?
            }
            Scope::LastLayer => {
                let (first, last) = weights.split_at_mut(network.first_layer());
                let mut oracle = LastLayer { network, first, batch, sight };
                take(self.recipe.method, &mut self.sam, last, g, &mut oracle)?
            }
        };
        self.done += 1;
        Ok(Some(report))
    }

    /// How many images of `set` get the right label.
    ///
    /// # Errors
    /// A buffer has the wrong length.
    pub fn correct(&mut self, set: &Set<'_>) -> Result<usize, LengthMismatch> {
        let Recipe { network, sensor, .. } = self.recipe;
        let mut sight = Sight::new(self.sight.as_mut(), network.hidden)?;
        network.correct(self.weights.as_ref(), set, sensor, &mut sight)
    }
}

/// One step of the base optimizer alone, or of SAM around it: the loss before it and what became of it.
fn take<B: AsRef<[f32]> + AsMut<[f32]>>(
    method: Method,
    sam: &mut Sam<SliceSpace<f32, B>, Sgd<f32, B>>,
    w: &mut [f32],
    g: &mut [f32],
    oracle: &mut impl GradientOracle<[f32], Loss = f32, Error = LengthMismatch>,
) -> Result<(f32, Outcome), Failure> {
    match method {
        Method::Sgd => {
            let mut plain = Plain::new(SliceSpace::new([0.0; 0]), &mut sam.base);
            plain.step(w, g, oracle).map(|step| (step.loss, step.outcome))
        }
        Method::Sam(rule) => {
            sam.rule = rule;
            sam.step(w, g, oracle).map(|step| (step.clean, step.outcome))
        }
    }
}
