//! Every method of `sam-core` behind one face, as the learner sees it.

use sam_backend_ndarray::{BatchError, Parallel, ParallelSpace, Threads};
use sam_core::{
    AlongGradient, BufferedError, Clipped, Friendly, Gaussian, Gsam, LearningRate, LengthMismatch, LookSam,
    MicroBatches, MomentumSam, MultiStepSam, PerturbedOnly, Plain, RandomSam, Reuse, Sam, SamGradient, Scope,
    SecondOrderSam, Segment, SegmentedSpace, Sgd, Sink, SliceSpace, Source, State, Step, StepError,
    Stochastic, Variant, WeightDecay, Wsam, formula::DualNorm,
};
use sam_model::{Role, TensorInfo};

use super::oracle::ObservedOracle;
use crate::training::settings::{Method, Settings, SgdSettings};

/// The base optimizer.
pub type Base = Clipped<f32, Parallel<Sgd<f32, Vec<f32>>>>;
type Space = ParallelSpace<f32>;

/// What goes wrong in a step.
pub type StepFailure = StepError<LengthMismatch, BatchError, LengthMismatch>;

/// A training method with its state: any of `sam-core`'s.
pub trait Optimizer:
    for<'a> sam_core::Method<[f32], [f32], ObservedOracle<'a>, Norm = DualNorm, Error = StepFailure>
    + LearningRate<f32>
    + State<f32>
    + Send
{
}

impl<M> Optimizer for M where
    M: for<'a> sam_core::Method<[f32], [f32], ObservedOracle<'a>, Norm = DualNorm, Error = StepFailure>
        + LearningRate<f32>
        + State<f32>
        + Send
{
}

/// The optimizer that `settings` describe, for the weights in `tensors`, with its sweeps on `threads`.
pub fn build(settings: &Settings, tensors: &[TensorInfo], threads: &Threads) -> Box<dyn Optimizer> {
    let weights = tensors.last().map_or(0, |tensor| tensor.range.end);
    let zeros = || vec![0.0; weights];
    let rule = settings.method.rule();
    let space = ParallelSpace::new(weights, threads.clone());
    let base = base(&settings.sgd, zeros(), threads);
    let plain = |base| Plain::new(ParallelSpace::new(0, threads.clone()), base);
    // The directions of a run are its own.
    let seed = settings.seed;
    match settings.method {
        Method::Sgd | Method::Mixup { .. } => Box::new(plain(base)),
        Method::Sam { .. } | Method::Asam { .. } => Box::new(Sam::new(space, rule, base)),
        Method::AsamWeights { .. } => {
            let segment = |tensor: &TensorInfo| {
                let segment = Segment::<f32>::new(tensor.range.len());
                if tensor.role == Role::Weight { segment } else { segment.not_adaptive() }
            };
            let segments: Vec<_> = tensors.iter().map(segment).collect();
            Box::new(Sam::new(SegmentedSpace::new(Scope::Global, segments, zeros()), rule, base))
        }
        Method::RandomSam { .. } => Box::new(RandomSam::new(space, rule, Gaussian::new(seed), base)),
        Method::MomentumSam { .. } => Box::new(MomentumSam::new(space, rule, base)),
        Method::MultiStepSam { steps, .. } => {
            let space = SliceSpace::new(zeros());
            Box::new(MultiStepSam::new(space, rule, steps, rule.rho, base, zeros()))
        }
        Method::SecondOrderSam { .. } => {
            let space = SliceSpace::new(zeros());
            Box::new(SecondOrderSam::new(space, rule, base, [zeros(), zeros()]))
        }
        Method::MSharpness { m, .. } => {
            Box::new(MSharpness { plain: plain(base), rule, m, perturbed: zeros(), sum: zeros() })
        }
        Method::LookSam { k, alpha, .. } => {
            Box::new(LookSam::new(space, rule, Reuse::new(k as u64, alpha as f32, zeros(), zeros()), base))
        }
        Method::Gsam { alpha, .. } => {
            let combination = Gsam::new(alpha as f32, zeros());
            Box::new(Variant::new(space, rule, AlongGradient, combination, base))
        }
        Method::Wsam { gamma, .. } => {
            let combination = Wsam::new(gamma as f32, zeros());
            Box::new(Variant::new(space, rule, AlongGradient, combination, base))
        }
        Method::FriendlySam { sigma, lambda, .. } => {
            let ascent = Friendly::new(sigma as f32, lambda as f32, zeros(), zeros());
            Box::new(Variant::new(space, rule, ascent, PerturbedOnly, base))
        }
        Method::Esam { beta, .. } => {
            let ascent = Stochastic::new(beta as f32, seed);
            Box::new(Variant::new(space, rule, ascent, PerturbedOnly, base))
        }
    }
}

fn base(settings: &SgdSettings, momentum: Vec<f32>, threads: &Threads) -> Base {
    let decay = settings.weight_decay as f32;
    let decay = if settings.decoupled { WeightDecay::Decoupled(decay) } else { WeightDecay::Coupled(decay) };
    let base =
        Sgd::new(settings.lr as f32).with_decay(decay).with_momentum(settings.momentum as f32, momentum);
    let base = if settings.nesterov { base.with_nesterov() } else { base };
    let base = Parallel::new(base, threads.clone());
    Clipped::new(base, settings.clip_norm.map_or(f32::INFINITY, |norm| norm as f32))
}

/// m-sharpness: the base optimizer along the mean of the groups' SAM gradients.
struct MSharpness {
    plain: Plain<Space, Base>,
    rule: sam_core::Rule<f32>,
    m: usize,
    perturbed: Vec<f32>,
    sum: Vec<f32>,
}

impl<'a> sam_core::Method<[f32], [f32], ObservedOracle<'a>> for MSharpness {
    type Norm = DualNorm;
    type Error = StepFailure;

    fn step(
        &mut self,
        w: &mut [f32],
        g: &mut [f32],
        oracle: &mut ObservedOracle<'a>,
    ) -> Result<Step<f64, Option<DualNorm>>, StepFailure> {
        let inner = SamGradient::new(oracle, self.rule, &mut self.perturbed[..]);
        let mut groups = MicroBatches::new(inner, self.m, &mut self.sum[..]);
        let step = self.plain.step(w, g, &mut groups).map_err(|error| {
            error.map_oracle(|error, pass| match error {
                BufferedError::Inner(BufferedError::Inner(error)) => StepError::Oracle(error, pass),
                BufferedError::Buffer(error) | BufferedError::Inner(BufferedError::Buffer(error)) => {
                    StepError::Space(error)
                }
            })
        })?;
        Ok(Step::new(f64::from(step.loss), None, None, step.outcome))
    }

    fn perturbed<'b>(&'b self, _: &'b [f32]) -> &'b [f32] {
        &self.perturbed
    }
}

impl LearningRate<f32> for MSharpness {
    fn learning_rate(&self) -> f32 {
        self.plain.learning_rate()
    }

    fn set_learning_rate(&mut self, rate: f32) {
        self.plain.set_learning_rate(rate);
    }
}

impl State<f32> for MSharpness {
    fn save(&self, sink: &mut Sink<'_, f32>) {
        self.plain.save(sink);
    }

    fn load(&mut self, source: &mut Source<'_, f32>) {
        self.plain.load(source);
    }
}
