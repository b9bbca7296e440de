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
    let plain = |base| Plain { space: ParallelSpace::new(0, threads.clone()), base };
    // The directions of a run are its own.
    let seed = settings.seed;
    match settings.method {
        Method::Sgd | Method::Mixup { .. } => Box::new(plain(base)),
        Method::Sam { .. } | Method::Asam { .. } => Box::new(Sam { space, rule, base }),
        Method::AsamWeights { .. } => {
            let segment = |tensor: &TensorInfo| Segment {
                adaptive: tensor.role == Role::Weight,
                ..Segment::<f32>::new(tensor.range.len())
            };
            let segments: Vec<_> = tensors.iter().map(segment).collect();
            Box::new(Sam { space: SegmentedSpace::new(Scope::Global, segments, zeros()), rule, base })
        }
        Method::RandomSam { .. } => Box::new(RandomSam { space, rule, noise: Gaussian::new(seed), base }),
        Method::MomentumSam { .. } => Box::new(MomentumSam { space, rule, base }),
        Method::MultiStepSam { steps, .. } => {
            let space = SliceSpace::new(zeros());
            Box::new(MultiStepSam { space, rule, steps, rate: rule.rho, base, eps: zeros() })
        }
        Method::SecondOrderSam { .. } => {
            let space = SliceSpace::new(zeros());
            Box::new(SecondOrderSam { space, rule, base, buffers: [zeros(), zeros()] })
        }
        Method::MSharpness { m, .. } => {
            Box::new(MSharpness { plain: plain(base), rule, m, perturbed: zeros(), sum: zeros() })
        }
        Method::LookSam { k, alpha, .. } => Box::new(LookSam {
            space,
            rule,
            reuse: Reuse::new(k as u64, alpha as f32, zeros(), zeros()),
            base,
        }),
        Method::Gsam { alpha, .. } => {
            let combination = Gsam::new(alpha as f32, zeros());
            Box::new(Variant { space, rule, ascent: AlongGradient, combination, base })
        }
        Method::Wsam { gamma, .. } => {
            let combination = Wsam::new(gamma as f32, zeros());
            Box::new(Variant { space, rule, ascent: AlongGradient, combination, base })
        }
        Method::FriendlySam { sigma, lambda, .. } => {
            let ascent = Friendly::new(sigma as f32, lambda as f32, zeros(), zeros());
            Box::new(Variant { space, rule, ascent, combination: PerturbedOnly, base })
        }
        Method::Esam { beta, .. } => {
            let ascent = Stochastic::new(beta as f32, seed);
            Box::new(Variant { space, rule, ascent, combination: PerturbedOnly, base })
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
    Clipped { base, max_norm: settings.clip_norm.map_or(f32::INFINITY, |norm| norm as f32) }
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
        let inner = SamGradient { inner: oracle, rule: self.rule, perturbed: &mut self.perturbed[..] };
        let mut groups = MicroBatches { inner, size: self.m, sum: &mut self.sum[..] };
        let step = self.plain.step(w, g, &mut groups).map_err(|error| match error {
            StepError::Space(error)
            | StepError::Oracle(BufferedError::Buffer(error), _)
            | StepError::Oracle(BufferedError::Inner(BufferedError::Buffer(error)), _) => {
                StepError::Space(error)
            }
            StepError::Oracle(BufferedError::Inner(BufferedError::Inner(error)), pass) => {
                StepError::Oracle(error, pass)
            }
            StepError::Descent(error) => StepError::Descent(error),
        })?;
        Ok(Step { clean: f64::from(step.loss), perturbed: None, norm: None, outcome: step.outcome })
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
