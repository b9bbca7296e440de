//! The CPU backend as a learner: a network of `sam-backend-ndarray` with `sam-core`'s SAM and SGD.

use std::time::{Duration, Instant};

use sam_backend_ndarray::{Network, Segment};
use sam_core::{
    Descent, GradientOracle, Norm, Outcome, ParamSpace, Pass, Rule, Sam, Sgd, SliceSpace, Verdict,
    WeightDecay, model::ImageShape,
};

use super::{
    learner::{Batch, Evaluation, Learner, LearnerError, StepReport},
    settings::{Method, Settings},
    state::{MOMENTUM, STATISTICS, State, Tensor, WEIGHTS},
};

/// A network on the CPU with its weights, their gradient and the optimizer's buffers, each one flat vector.
pub struct CpuLearner {
    network: Network<f32>,
    weights: Vec<f32>,
    gradient: Vec<f32>,
    optimizer: Sam<SliceSpace<f32, Vec<f32>>, Sgd<f32, Vec<f32>>>,
    method: Method,
}

impl CpuLearner {
    /// A freshly initialised network for images of `shape` in `classes` classes. The number of `threads` changes its
    /// speed, not its results.
    ///
    /// # Errors
    /// [`LearnerError::Backend`], when the network cannot be built, e.g. for images that are too small for it.
    pub fn new(
        settings: &Settings,
        shape: ImageShape,
        classes: usize,
        threads: usize,
    ) -> Result<Self, LearnerError> {
        let network = Network::new(&settings.model, shape, classes, settings.batch, threads);
        let mut network = network.map_err(LearnerError::backend)?;
        network.set_label_smoothing(settings.label_smoothing as f32);
        let weights = network.initial_parameters(settings.seed);
        let zeros = || vec![0.0; weights.len()];
        let (rule, perturbed) = match settings.method {
            Method::Sgd => (Rule::new(0.0, Norm::L2), Vec::new()),
            Method::Sam { rho, norm } => (Rule::new(rho as f32, norm.0), zeros()),
        };
        let sgd = &settings.sgd;
        let decay = sgd.weight_decay as f32;
        let decay = if sgd.decoupled { WeightDecay::Decoupled(decay) } else { WeightDecay::Coupled(decay) };
        let base = Sgd::new(sgd.lr as f32).with_decay(decay).with_momentum(sgd.momentum as f32, zeros());
        let base = if sgd.nesterov { base.with_nesterov() } else { base };
        let gradient = zeros();
        let optimizer = Sam { space: SliceSpace::new(perturbed), rule, base };
        Ok(Self { network, weights, gradient, optimizer, method: settings.method })
    }

    /// One gradient, one step of the base optimizer.
    fn plain_step(&mut self) -> Result<StepReport, LearnerError> {
        let mut oracle = Timed::new(&mut self.network);
        let loss =
            oracle.gradient(&self.weights, &mut self.gradient, Pass::Clean).map_err(LearnerError::backend)?;
        let in_gradients = oracle.spent;
        let verdict = self.optimizer.space.check(&self.gradient).map_err(LearnerError::backend)?;
        if verdict == Verdict::NonFinite {
            return Ok(StepReport { loss, outcome: Outcome::NonFinite(Pass::Clean), in_gradients });
        }
        let base = &mut self.optimizer.base;
        base.descend(&mut self.weights, &mut self.gradient).map_err(LearnerError::backend)?;
        Ok(StepReport { loss, outcome: Outcome::Descended, in_gradients })
    }

    /// Two gradients, one step of the base optimizer.
    fn sharpness_aware_step(&mut self) -> Result<StepReport, LearnerError> {
        let mut oracle = Timed::new(&mut self.network);
        let step = self
            .optimizer
            .step(&mut self.weights, &mut self.gradient, &mut oracle)
            .map_err(LearnerError::backend)?;
        Ok(StepReport { loss: step.clean, outcome: step.outcome, in_gradients: oracle.spent })
    }
}

impl Learner for CpuLearner {
    fn step(&mut self, batch: Batch<'_>, rate: f32) -> Result<StepReport, LearnerError> {
        self.network.set_batch(batch.images, batch.labels).map_err(LearnerError::backend)?;
        self.optimizer.base.lr = rate;
        match self.method {
            Method::Sgd => self.plain_step(),
            Method::Sam { .. } => self.sharpness_aware_step(),
        }
    }

    fn evaluate(&mut self, batch: Batch<'_>) -> Result<Evaluation, LearnerError> {
        let evaluation = self.network.evaluate(&self.weights, batch.images, batch.labels);
        let evaluation = evaluation.map_err(LearnerError::backend)?;
        Ok(Evaluation { loss: evaluation.loss, correct: evaluation.correct, count: evaluation.count })
    }

    fn export(&mut self) -> Result<State, LearnerError> {
        let network = &self.network;
        let weights = tensors(WEIGHTS, network.segments(), &self.weights);
        let momentum = tensors(MOMENTUM, network.segments(), self.optimizer.base.momentum_buffer());
        let statistics = tensors(STATISTICS, network.statistic_segments(), network.statistics());
        Ok(State { tensors: weights.chain(momentum).chain(statistics).collect() })
    }

    fn import(&mut self, state: &State) -> Result<(), LearnerError> {
        state.check_against(&self.export()?)?;
        let network = &mut self.network;
        copy(state, WEIGHTS, network.segments(), &mut self.weights);
        copy(state, MOMENTUM, network.segments(), self.optimizer.base.momentum_buffer_mut());
        let mut statistics = network.statistics().to_vec();
        copy(state, STATISTICS, network.statistic_segments(), &mut statistics);
        network.set_statistics(&statistics).map_err(LearnerError::backend)
    }

    fn parameter_count(&self) -> usize {
        self.weights.len()
    }
}

fn tensors<'a>(
    group: &str,
    segments: &'a [Segment],
    values: &'a [f32],
) -> impl Iterator<Item = Tensor> + use<'a> {
    let group = group.to_owned();
    segments.iter().map(move |segment| Tensor {
        name: format!("{group}{}", segment.name),
        shape: segment.shape.clone(),
        values: values[segment.range.clone()].to_vec(),
    })
}

/// Copies the tensors of `group` to their places; [`State::check_against`] has made sure that they fit.
fn copy(state: &State, group: &str, segments: &[Segment], values: &mut [f32]) {
    for segment in segments {
        if let Some(tensor) = state.get(&format!("{group}{}", segment.name)) {
            values[segment.range.clone()].copy_from_slice(&tensor.values);
        }
    }
}

/// Measures how long the oracle inside takes.
struct Timed<'a, O> {
    oracle: &'a mut O,
    spent: Duration,
}

impl<'a, O> Timed<'a, O> {
    fn new(oracle: &'a mut O) -> Self {
        Self { oracle, spent: Duration::ZERO }
    }
}

impl<O: GradientOracle<[f32]>> GradientOracle<[f32]> for Timed<'_, O> {
    type Loss = O::Loss;
    type Error = O::Error;

    fn gradient(&mut self, params: &[f32], grads: &mut [f32], pass: Pass) -> Result<O::Loss, O::Error> {
        let started = Instant::now();
        let loss = self.oracle.gradient(params, grads, pass);
        self.spent += started.elapsed();
        loss
    }
}
