//! Every method of `sam-core` behind one face, as the learner sees it.

use sam_backend_ndarray::{ParallelSpace, Threads};
use sam_core::{
    AlongGradient, BufferedError, Friendly, Gaussian, GradientAlgebra, GradientOracle, Gsam, LearningRate,
    LengthMismatch, LookSam, MicroBatches, MiniBatch, MomentumSam, MultiStepSam, ParamSpace, Pass,
    PerturbedOnly, Plain, RandomSam, Reuse, Sam, SamGradient, SecondOrderSam, Segment, Sink, SliceSpace,
    Source, State, Step, StepError, Stochastic, Variant, Wsam, formula::DualNorm,
};
use sam_model::TensorInfo;

use super::{
    base::{self, AnyBase},
    joint::Joint,
    oracle::{ObservedOracle, OracleError, Telling},
    segmented::Segmented,
    sharded::Sharded,
};
use crate::training::{
    settings::{Method, Settings, Tensors},
    shard_state::ShardState,
};

/// What goes wrong in a step.
pub type StepFailure = StepError<LengthMismatch, OracleError, LengthMismatch>;

/// A training method with its state: any of `sam-core`'s.
pub trait Optimizer:
    for<'a> sam_core::Method<[f32], [f32], ObservedOracle<'a>, Norm = DualNorm, Error = StepFailure>
    + LearningRate<f32>
    + State<f32>
    + Adjustable
{
}

impl<M> Optimizer for M where
    M: for<'a> sam_core::Method<[f32], [f32], ObservedOracle<'a>, Norm = DualNorm, Error = StepFailure>
        + LearningRate<f32>
        + State<f32>
        + Adjustable
{
}

/// What is changed of a method between two steps, and what it descends by.
pub trait Adjustable {
    /// Sets the radius of the steps to come; nothing happens where there is none.
    fn set_radius(&mut self, rho: f32);

    /// The base optimizer.
    fn base(&mut self) -> &mut AnyBase;
}

macro_rules! adjustable {
    ([$($bound:tt)*] $method:ty) => {
        impl<$($bound)*> Adjustable for $method {
            fn set_radius(&mut self, rho: f32) {
                self.rule = self.rule.with_rho(rho);
            }

            fn base(&mut self) -> &mut AnyBase {
                &mut self.base
            }
        }
    };
}

adjustable! { [S: ParamSpace<Scalar = f32>] Sam<S, AnyBase> }
adjustable! { [S: ParamSpace<Scalar = f32>] RandomSam<S, AnyBase> }
adjustable! { [S: ParamSpace<Scalar = f32>] MomentumSam<S, AnyBase> }
adjustable! { [S: GradientAlgebra<Scalar = f32>, B] LookSam<S, AnyBase, B> }
adjustable! { [S: ParamSpace<Scalar = f32>, A, C] Variant<S, A, C, AnyBase> }
adjustable! { [B] SecondOrderSam<SliceSpace<f32, Vec<f32>>, AnyBase, B> }

/// A step of the ascent is as long as the radius.
impl<B> Adjustable for MultiStepSam<SliceSpace<f32, Vec<f32>>, AnyBase, B> {
    fn set_radius(&mut self, rho: f32) {
        (self.rule, self.rate) = (self.rule.with_rho(rho), rho);
    }

    fn base(&mut self) -> &mut AnyBase {
        &mut self.base
    }
}

impl<S> Adjustable for Plain<S, AnyBase> {
    fn set_radius(&mut self, _rho: f32) {}

    fn base(&mut self) -> &mut AnyBase {
        &mut self.base
    }
}

/// The optimizer that `settings` describe, for the weights in `tensors`, with its sweeps on `threads`.
pub fn build(settings: &Settings, tensors: &[TensorInfo], threads: &Threads) -> Box<dyn Optimizer> {
    let weights = tensors.last().map_or(0, |tensor| tensor.range.end);
    match (settings.ascent.tensors, settings.method) {
        (Tensors::Weights, _) => {
            let fixed = |segment: Segment<f32>| Segment::fixed(segment.len);
            build_on(Segmented::new(tensors, fixed), settings, tensors, threads)
        }
        (Tensors::All, Method::AsamWeights { .. }) => {
            build_on(Segmented::new(tensors, Segment::not_adaptive), settings, tensors, threads)
        }
        (Tensors::All, _) => {
            build_on(ParallelSpace::new(weights, threads.clone()), settings, tensors, threads)
        }
    }
}

/// The optimizer on `space`, if the method is one that any storage does for.
fn build_on<S>(space: S, settings: &Settings, tensors: &[TensorInfo], threads: &Threads) -> Box<dyn Optimizer>
where
    S: GradientAlgebra<Params = [f32], Grads = [f32], Scalar = f32, Norm = DualNorm, Error = LengthMismatch>,
    S: 'static,
{
    let weights = tensors.last().map_or(0, |tensor| tensor.range.end);
    let zeros = || vec![0.0; weights];
    let rule = settings.method.rule();
    let base = base::build(settings, tensors, threads, None);
    let plain = |base| Plain::new(ParallelSpace::new(0, threads.clone()), base);
    // The directions of a run are its own.
    let seed = settings.seed;
    match settings.method {
        Method::Sgd | Method::Mixup { .. } => Box::new(plain(base)),
        Method::Sam { .. } | Method::Asam { .. } | Method::AsamWeights { .. } => {
            Box::new(Sam::new(space, rule, base))
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
            // Of a batch that the run cuts into groups gradients are summed up elsewhere.
            let sum = if settings.groups.is_none() { zeros() } else { Vec::new() };
            Box::new(MSharpness { plain: plain(base), rule, m, perturbed: zeros(), sum })
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

/// The optimizer for this rank's shard of the weights: its steps get that and this rank's shard of gradients. `None` where
/// [`ShardState::serves`](crate::training::shard_state::ShardState::serves) the settings not.
pub fn build_sharded(
    settings: &Settings,
    tensors: &[TensorInfo],
    threads: &Threads,
    joint: &Joint,
) -> Option<Box<dyn Optimizer>> {
    if !ShardState::serves(settings) {
        return None;
    }
    let rule = settings.method.rule();
    let base = base::build(settings, tensors, threads, Some(joint));
    let flat = Sharded::flat(joint);
    Some(match settings.method {
        Method::Sgd | Method::Mixup { .. } => Box::new(Plain::new(flat, base)),
        Method::Sam { .. } | Method::Asam { .. } => Box::new(Sam::new(Sharded::new(joint), rule, base)),
        Method::MomentumSam { .. } => Box::new(MomentumSam::new(Sharded::new(joint), rule, base)),
        // Each group climbs from the whole weights.
        Method::MSharpness { m, .. } => {
            let perturbed = vec![0.0; joint.shards.entries()];
            Box::new(MSharpness { plain: Plain::new(flat, base), rule, m, perturbed, sum: Vec::new() })
        }
        _ => return None,
    })
}

/// m-sharpness: the base optimizer along the mean of the groups' SAM gradients.
struct MSharpness<S> {
    plain: Plain<S, AnyBase>,
    rule: sam_core::Rule<f32>,
    m: usize,
    perturbed: Vec<f32>,
    sum: Vec<f32>,
}

impl<'a, S> sam_core::Method<[f32], [f32], ObservedOracle<'a>> for MSharpness<S>
where
    S: ParamSpace<Params = [f32], Grads = [f32], Scalar = f32, Error = LengthMismatch>,
{
    type Norm = DualNorm;
    type Error = StepFailure;

    fn step(
        &mut self,
        w: &mut [f32],
        g: &mut [f32],
        oracle: &mut ObservedOracle<'a>,
    ) -> Result<Step<f64, Option<DualNorm>>, StepFailure> {
        let Self { plain, rule, m, perturbed, sum } = self;
        let mut groups = GroupsOfM { oracle, rule: *rule, m: *m, perturbed, sum };
        let step = plain.step(w, g, &mut groups).map_err(|error| {
            error.map_oracle(|error, pass| match error {
                GroupError::Oracle(error) => StepError::Oracle(error, pass),
                GroupError::Buffer(error) => StepError::Space(error),
            })
        })?;
        Ok(Step::new(step.loss, None, None, step.outcome))
    }

    fn perturbed<'b>(&'b self, _: &'b [f32]) -> &'b [f32] {
        &self.perturbed
    }
}

/// The mean of the SAM gradients of a batch's groups: of those that the run cuts its batches into, if it does, else of `m`
/// images one after the other.
struct GroupsOfM<'s, 'a> {
    oracle: &'s mut ObservedOracle<'a>,
    rule: sam_core::Rule<f32>,
    m: usize,
    perturbed: &'s mut [f32],
    sum: &'s mut [f32],
}

enum GroupError {
    Oracle(OracleError),
    Buffer(LengthMismatch),
}

impl From<OracleError> for GroupError {
    fn from(error: OracleError) -> Self {
        Self::Oracle(error)
    }
}

impl From<BufferedError<OracleError>> for GroupError {
    fn from(error: BufferedError<OracleError>) -> Self {
        match error {
            BufferedError::Inner(error) => Self::Oracle(error),
            BufferedError::Buffer(error) => Self::Buffer(error),
        }
    }
}

impl GradientOracle<[f32]> for GroupsOfM<'_, '_> {
    type Loss = f64;
    type Error = GroupError;

    fn gradient(&mut self, w: &[f32], g: &mut [f32], pass: Pass) -> Result<f64, GroupError> {
        let Self { oracle, rule, m, perturbed, sum } = self;
        let in_groups = oracle.in_groups(|oracle, sharing| {
            oracle.mean_of_groups(sharing, w, g, pass, |oracle, part, w, g, ready| {
                let mut group = SamGradient::new(Telling { oracle, ready }, *rule, &mut perturbed[..]);
                Ok::<_, GroupError>(f64::from(group.gradient_of(part, w, g, pass)?))
            })
        });
        if let Some(loss) = in_groups {
            return loss;
        }
        let group = SamGradient::new(&mut **oracle, *rule, &mut perturbed[..]);
        let loss =
            MicroBatches::new(group, *m, &mut sum[..]).gradient(w, g, pass).map_err(|error| match error {
                BufferedError::Inner(error) => error.into(),
                BufferedError::Buffer(error) => GroupError::Buffer(error),
            });
        loss.map(f64::from)
    }
}

impl<S> Adjustable for MSharpness<S> {
    fn set_radius(&mut self, rho: f32) {
        self.rule = self.rule.with_rho(rho);
    }

    fn base(&mut self) -> &mut AnyBase {
        &mut self.plain.base
    }
}

impl<S> LearningRate<f32> for MSharpness<S> {
    fn learning_rate(&self) -> f32 {
        self.plain.learning_rate()
    }

    fn set_learning_rate(&mut self, rate: f32) {
        self.plain.set_learning_rate(rate);
    }
}

impl<S> State<f32> for MSharpness<S> {
    fn save(&self, sink: &mut Sink<'_, f32>) {
        self.plain.save(sink);
    }

    fn load(&mut self, source: &mut Source<'_, f32>) {
        self.plain.load(source);
    }
}
