//! Every method of `sam-core` behind one face, as the learner sees it.

use std::error::Error;

use sam_backend_ndarray::{Parallel, ParallelSpace, Threads};
use sam_core::{
    AlongGradient, AscentRule, Clipped, Combination, Friendly, Gaussian, Gsam, Look, LookSam, MicroBatches,
    MomentumSam, MultiStepSam, Outcome, ParamSpace, PerturbedOnly, Plain, RandomSam, Sam, SamGradient, Scope,
    SecondOrderSam, Segment, SegmentedSpace, Sgd, Sink, SliceSpace, Source, State, StepError, Stochastic,
    Variant, WeightDecay, Wsam,
};
use sam_model::{Role, TensorInfo};

use super::oracle::ObservedOracle;
use crate::training::settings::{Method, Settings, SgdSettings};

/// The base optimizer.
pub type Base = Clipped<f32, Parallel<Sgd<f32, Vec<f32>>>>;
type Space = ParallelSpace<f32>;
/// For the methods whose own sweeps have no parallel form.
type Slices = SliceSpace<f32, Vec<f32>>;

/// For those that treat tensors differently.
type Segments = SegmentedSpace<f32, Vec<f32>, Vec<Segment<f32>>>;

/// What goes wrong in a step.
pub type StepFailure = Box<dyn Error + Send + Sync>;

/// A training method with its state.
pub trait Optimizer: Send {
    /// One step on the weights `w`; `g` is scratch space for gradients.
    fn step(
        &mut self,
        w: &mut [f32],
        g: &mut [f32],
        oracle: &mut ObservedOracle<'_>,
    ) -> Result<Outcome, StepFailure>;
    /// The base optimizer, whose learning rate the schedule sets.
    fn base(&mut self) -> &mut Base;
    /// Where the latest perturbed gradient was taken.
    fn perturbed<'a>(&'a self, w: &'a [f32]) -> &'a [f32];
    /// Shows every piece of state, always in the same order.
    fn save(&self, sink: &mut Sink<'_, f32>);
    /// Has every piece filled, in that order.
    fn load(&mut self, source: &mut Source<'_, f32>);
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
                ..Segment::new(tensor.range.len())
            };
            let segments = tensors.iter().map(segment).collect();
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
        Method::LookSam { k, alpha, .. } => {
            Box::new(LookSam { space, rule, look: Look::new(k as u64, alpha as f32, zeros(), zeros()), base })
        }
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

/// Boxes the error of a step, whatever it is generic over.
fn boxed<S, O, D>(error: StepError<S, O, D>) -> StepFailure
where
    StepError<S, O, D>: Error + Send + Sync + 'static,
{
    Box::new(error)
}

macro_rules! optimizer {
    ([$($bounds:tt)*] $type:ty) => {
        impl<$($bounds)*> Optimizer for $type {
            fn step(
                &mut self,
                w: &mut [f32],
                g: &mut [f32],
                oracle: &mut ObservedOracle<'_>,
            ) -> Result<Outcome, StepFailure> {
                Ok(<$type>::step(self, w, g, oracle).map_err(boxed)?.outcome)
            }
            fn base(&mut self) -> &mut Base {
                &mut self.base
            }
            fn perturbed<'a>(&'a self, w: &'a [f32]) -> &'a [f32] {
                self.space.perturbed(w)
            }
            fn save(&self, sink: &mut Sink<'_, f32>) {
                State::save(self, sink);
            }
            fn load(&mut self, source: &mut Source<'_, f32>) {
                State::load(self, source);
            }
        }
    };
}

optimizer! { [] Plain<Space, Base> }
optimizer! { [] Sam<Space, Base> }
optimizer! { [] Sam<Segments, Base> }
optimizer! { [] MultiStepSam<Slices, Base, Vec<f32>> }
optimizer! { [] SecondOrderSam<Slices, Base, Vec<f32>> }
optimizer! { [] LookSam<Space, Base, Vec<f32>> }
optimizer! { [] MomentumSam<Space, Base> }
optimizer! { [] RandomSam<Space, Base> }
optimizer! {
    [A: AscentRule<Space> + State<f32> + Send, C: Combination<Space, Base> + State<f32> + Send]
    Variant<Space, A, C, Base>
}

impl Optimizer for MSharpness {
    fn step(
        &mut self,
        w: &mut [f32],
        g: &mut [f32],
        oracle: &mut ObservedOracle<'_>,
    ) -> Result<Outcome, StepFailure> {
        let inner = SamGradient { inner: oracle, rule: self.rule, perturbed: &mut self.perturbed[..] };
        let mut groups = MicroBatches { inner, size: self.m, sum: &mut self.sum[..] };
        Ok(self.plain.step(w, g, &mut groups).map_err(boxed)?.outcome)
    }
    fn base(&mut self) -> &mut Base {
        &mut self.plain.base
    }
    fn perturbed<'a>(&'a self, _: &'a [f32]) -> &'a [f32] {
        &self.perturbed
    }
    fn save(&self, sink: &mut Sink<'_, f32>) {
        Optimizer::save(&self.plain, sink);
    }
    fn load(&mut self, source: &mut Source<'_, f32>) {
        Optimizer::load(&mut self.plain, source);
    }
}
