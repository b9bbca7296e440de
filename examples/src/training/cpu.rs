//! The CPU backend as a learner: a network of `sam-backend-ndarray` with `sam-core`'s SAM and SGD.

use std::time::{Duration, Instant};

use sam_backend_ndarray::{Network, Segment};
use sam_core::{
    Descent, GradientOracle, Norm, Outcome, ParamSpace, Pass, Rule, Sam, Sgd, SliceSpace, Verdict,
    WeightDecay, model::ImageShape,
};

use super::{
    learner::{Batch, Evaluation, Learner, LearnerError, StepReport},
    nonfinite::Origin,
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
    /// Running statistics as of before the step: the clean pass changes them although the step may come to nothing.
    statistics: Vec<f32>,
    /// Whether the losses of the latest step were.
    loss_is_finite: bool,
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
        let statistics = network.statistics().to_vec();
        Ok(Self {
            network,
            weights,
            gradient,
            optimizer,
            method: settings.method,
            statistics,
            loss_is_finite: true,
        })
    }

    /// One gradient, one step of the base optimizer.
    fn plain_step(&mut self) -> Result<StepReport, LearnerError> {
        let mut oracle = Watched::new(&mut self.network);
        let loss =
            oracle.gradient(&self.weights, &mut self.gradient, Pass::Clean).map_err(LearnerError::backend)?;
        let in_gradients = oracle.spent;
        self.loss_is_finite = oracle.loss_is_finite;
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
        let mut oracle = Watched::new(&mut self.network);
        let step = self
            .optimizer
            .step(&mut self.weights, &mut self.gradient, &mut oracle)
            .map_err(LearnerError::backend)?;
        self.loss_is_finite = oracle.loss_is_finite;
        Ok(StepReport { loss: step.clean, outcome: step.outcome, in_gradients: oracle.spent })
    }
}

impl Learner for CpuLearner {
    fn step(&mut self, batch: Batch<'_>, rate: f32) -> Result<StepReport, LearnerError> {
        self.network.set_batch(batch.images, batch.labels).map_err(LearnerError::backend)?;
        self.optimizer.base.lr = rate;
        self.statistics.copy_from_slice(self.network.statistics());
        let report = match self.method {
            Method::Sgd => self.plain_step(),
            Method::Sam { .. } => self.sharpness_aware_step(),
        };
        if !matches!(report, Ok(StepReport { outcome: Outcome::Descended | Outcome::ZeroGradient, .. })) {
            self.network.set_statistics(&self.statistics).map_err(LearnerError::backend)?;
        }
        report
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

    fn origin(&self, pass: Pass) -> Option<Origin> {
        let weights = match pass {
            Pass::Clean => &self.weights,
            Pass::Perturbed => self.optimizer.space.perturbed(&self.weights),
        };
        let segments = self.network.segments();
        let first = |quantity: &str, segment: Option<&Segment>| {
            segment.map(|segment| Origin::of_layer(quantity, layer(segment)))
        };
        let in_weights = segments.iter().find(|segment| !finite(weights, segment));
        first("weights", in_weights)
            .or_else(|| Some(Origin::of_layer("output", self.network.first_nonfinite_layer()?)))
            .or_else(|| {
                if !self.loss_is_finite {
                    return Some(Origin { quantity: "loss".to_owned(), layer: None });
                }
                first("gradient", segments.iter().rfind(|segment| !finite(&self.gradient, segment)))
            })
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

fn finite(arena: &[f32], segment: &Segment) -> bool {
    arena[segment.range.clone()].iter().all(|value| value.is_finite())
}

/// The layer that a parameter tensor belongs to.
fn layer(segment: &Segment) -> &str {
    segment.name.rsplit_once('.').map_or(segment.name.as_str(), |(layer, _)| layer)
}

/// Measures how long the oracle inside takes, and has no gradient of a loss that is not finite: a softmax can saturate
/// where its loss overflows, and hide it.
struct Watched<'a, O> {
    oracle: &'a mut O,
    spent: Duration,
    loss_is_finite: bool,
}

impl<'a, O> Watched<'a, O> {
    fn new(oracle: &'a mut O) -> Self {
        Self { oracle, spent: Duration::ZERO, loss_is_finite: true }
    }
}

impl<O: GradientOracle<[f32], Loss = f64>> GradientOracle<[f32]> for Watched<'_, O> {
    type Loss = f64;
    type Error = O::Error;

    fn gradient(&mut self, params: &[f32], grads: &mut [f32], pass: Pass) -> Result<f64, O::Error> {
        let started = Instant::now();
        let loss = self.oracle.gradient(params, grads, pass)?;
        self.spent += started.elapsed();
        self.loss_is_finite &= loss.is_finite();
        if !loss.is_finite() {
            grads.fill(f32::NAN);
        }
        Ok(loss)
    }
}
