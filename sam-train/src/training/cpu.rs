//! The CPU backend as a learner: a network of `sam-backend-ndarray` with `sam-core`'s SAM family and SGD.

mod base;
mod early;
mod joint;
mod mixup;
mod optimizer;
mod oracle;
mod penalty;
mod segmented;
mod sharded;
mod sharing;

use std::{borrow::Cow, rc::Rc, time::Duration};

use ndarray::{Array4, Axis, Slice};
use sam_backend_ndarray::{ForwardOverReverse, Network, Number, ParallelSpace, Random};
use sam_core::{Average, Pass, Plain, StepError, Values, ValuesMut};
use sam_model::{Evaluation, ImageShape, TensorInfo};

use super::{
    average::{Averaged, Averages, Which},
    counters::{copy_counters, counters},
    host_batches::HostBatches,
    kernel_choice::ChosenKernels,
    learner::{
        Batch, Diagnosis, Learner, LearnerError, StepFigures, StepReport, TrainingImages, WeightAccess, Word,
    },
    memory,
    nonfinite::Origin,
    pairs::MIXUP_STEPS,
    random_layers,
    settings::{Method, Settings},
    state::{STATISTICS, State, WEIGHTS},
    tensors::{copy, group, tensors},
};
use crate::{
    interrupt::Interrupt,
    ranks::{Alone, Ranks, groups::Share},
};
use joint::Joint;
use mixup::Mixup;
use optimizer::Optimizer;
use oracle::{DualNetwork, ObservedOracle, OracleError, Partners, Place};
use penalty::Penalty;
use sharded::Sharded;
use sharing::{Partly, Sharing};

/// A network on the CPU with its weights, their gradient and the optimizer's buffers, each one flat vector. Where ranks keep shards
/// ([`ShardState`](super::shard_state::ShardState)), gradient and buffers are this rank's shards; weights are whole between steps.
pub struct CpuLearner {
    network: Network<f32>,
    weights: Vec<f32>,
    /// This rank's shard of the weights, in a step; empty where ranks keep no shards.
    own: Vec<f32>,
    gradient: Vec<f32>,
    optimizer: Box<dyn Optimizer>,
    method: Method,
    /// Whether the next step climbs.
    climbs: bool,
    averages: Averages<Average<f32, Vec<f32>>>,
    mixup: Option<Mixup>,
    /// For the term of second order.
    twin: Option<DualNetwork>,
    /// Weight decay, where it is a term of the loss.
    penalty: Option<Penalty>,
    /// Running statistics as of before the step: the clean pass changes them although the step may come to nothing.
    statistics: Vec<f32>,
    /// Whether the losses of the latest step were finite.
    loss_is_finite: bool,
    gradients: f64,
    batches: Option<HostBatches>,
    /// What the next step's random layers draw from, if there are any.
    random: Option<Random>,
    interrupt: Interrupt,
    /// For batches in groups.
    sharing: Option<Sharing>,
    /// Images of the next batch, if its step gets a part of it.
    total: Option<usize>,
    shape: ImageShape,
    /// Whether running statistics stay as they are.
    frozen: bool,
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
        Self::on_ranks(settings, shape, classes, threads, Alone::shared())
    }

    /// The same as one of several `ranks`, all of which make the same calls of it. Each computes its part of every step, and
    /// all of them have the same weights after it.
    ///
    /// # Errors
    /// As [`CpuLearner::new`], and when the ranks cannot share out the groups that batches are in.
    pub fn on_ranks(
        settings: &Settings,
        shape: ImageShape,
        classes: usize,
        threads: usize,
        ranks: Rc<dyn Ranks>,
    ) -> Result<Self, LearnerError> {
        let share = Share::new(settings.groups.unwrap_or(1), ranks.rank(), ranks.size());
        let share = share.map_err(LearnerError::backend)?;
        let description = settings.describe(shape, classes).map_err(LearnerError::backend)?;
        let batch = settings.at_once();
        let activations = memory::activations(settings);
        let threads = threads.min(Network::<f32>::worthwhile_threads(&description, batch));
        let network = Network::build_with(&description, batch, threads, activations);
        let mut network = network.map_err(LearnerError::backend)?;
        network.set_label_smoothing(settings.label_smoothing as f32);
        let weights = network.initial_parameters(settings.seed);
        let (count, method) = (weights.len(), settings.method);
        let mixup = settings.mixup().map(|alpha| Mixup::new(alpha, settings.seed, count));
        let twin = match method {
            Method::SecondOrderSam { .. } => {
                let twin = Network::build_with(&description, batch, threads, activations);
                let mut twin = twin.map_err(LearnerError::backend)?;
                twin.set_label_smoothing(Number::of(settings.label_smoothing));
                Some(ForwardOverReverse::new(twin))
            }
            _ => None,
        };
        let random = network.is_random().then(|| random_layers::first(settings));
        let statistics = network.statistics().to_vec();
        let mut sharing = settings.groups.map(|_| Sharing::new(Rc::clone(&ranks), share));
        let asked = ranks.shard_state() && !ranks.is_alone();
        let joint = asked.then(|| Joint::new(ranks, count));
        let sharded = joint.as_ref().and_then(|joint| {
            optimizer::build_sharded(settings, network.tensors(), &network.threads(), joint)
        });
        let (optimizer, kept) = match (sharded, joint) {
            (Some(optimizer), Some(joint)) => {
                let kept = joint.length();
                let partly =
                    Partly { joint, first_at_weights: !matches!(method, Method::MomentumSam { .. }) };
                if let Some(sharing) = &mut sharing {
                    sharing.sharded = Some(partly);
                }
                (optimizer, kept)
            }
            _ => (optimizer::build(settings, network.tensors(), &network.threads()), count),
        };
        let average = |weighting, length| -> Result<_, LearnerError> {
            let mut average = Average::uniform(vec![0.0; length]);
            average.weighting = weighting;
            Ok(average)
        };
        Ok(Self {
            averages: Averages::new(&settings.average, count, statistics.len(), average)?,
            optimizer,
            penalty: Penalty::of(settings, network.tensors()),
            method,
            climbs: true,
            network,
            weights,
            own: Vec::new(),
            gradient: vec![0.0; kept],
            mixup,
            twin,
            statistics,
            loss_is_finite: true,
            gradients: 0.0,
            batches: None,
            random,
            interrupt: Interrupt::default(),
            sharing,
            total: None,
            shape,
            frozen: false,
        })
    }

    /// The weights, tensor by tensor as the network lays them out.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Gradients of a whole batch that the steps so far have computed; those of parts of one count as parts.
    pub fn gradients(&self) -> f64 {
        self.gradients
    }

    /// For shards, if this rank keeps some.
    fn joint(&self) -> Option<&Joint> {
        Some(&self.sharing.as_ref()?.sharded.as_ref()?.joint)
    }

    /// Its state, with vectors made whole as `whole` does it.
    fn state(&self, whole: &dyn Fn(&[f32]) -> Option<Vec<f32>>) -> Result<State, LearnerError> {
        let infos = self.network.tensors();
        let mut state = State { tensors: tensors(WEIGHTS, infos, &self.weights).collect() };
        self.optimizer.save(&mut |piece, values| match values {
            Values::Reals(values) => {
                let made = whole(values);
                let values = made.as_deref().unwrap_or(values);
                state.tensors.extend(tensors(&group(piece), infos, values));
            }
            Values::Counts(counts) => state.tensors.push(counters(piece, counts)),
        });
        if let Some(mixup) = &self.mixup {
            state.tensors.push(counters(MIXUP_STEPS, &[mixup.pairs.steps]));
        }
        let statistics = tensors(STATISTICS, self.network.statistic_tensors(), self.network.statistics());
        state.tensors.extend(statistics);
        self.averages.export(&mut state)?;
        Ok(state)
    }

    fn observed_step(&mut self, batch: Batch<'_>, place: Place) -> Result<StepReport, LearnerError> {
        let joint = self.joint().cloned();
        let Self {
            network,
            weights,
            own,
            gradient,
            optimizer,
            mixup,
            twin,
            penalty,
            random,
            climbs,
            interrupt,
            sharing,
            ..
        } = self;
        let threads = network.threads();
        let mut partners = None;
        let mut images = batch.images;
        if let Some(mixup) = mixup {
            let share = sharing.as_ref().map_or(Share::WHOLE, |sharing| sharing.share);
            mixup.mix(batch, share.numbered(place.total));
            let Mixup { images: mixed, labels, share, scratch, .. } = mixup;
            images = mixed.view();
            partners = Some(Partners { labels, share: *share, scratch });
        }
        let batch = Batch { images, ..batch };
        let oracle =
            ObservedOracle::new(network, batch, place, sharing.as_mut(), partners, twin.as_mut(), interrupt);
        let mut oracle = oracle.map_err(LearnerError::backend)?;
        // A step that does not climb is SGD's, with its coefficients of random layers.
        let fresh = |random: Random| Random { backward: Method::Sgd.backward_coefficients(), ..random };
        oracle.set_penalty(penalty.as_ref());
        oracle.set_random(if *climbs { *random } else { random.map(fresh) });
        let params = match &joint {
            None => &mut weights[..],
            Some(joint) => {
                own.resize(joint.length(), 0.0);
                joint.shards.take(joint.rank(), weights, own);
                oracle.set_whole(weights);
                &mut own[..]
            }
        };
        let step = match (&*climbs, &joint) {
            (true, _) => optimizer.step(params, gradient, &mut oracle),
            (false, None) => {
                let mut plain = Plain::new(ParallelSpace::new(0, threads), optimizer.base());
                sam_core::Method::step(&mut plain, params, gradient, &mut oracle)
            }
            (false, Some(joint)) => {
                let mut plain = Plain::new(Sharded::flat(joint), optimizer.base());
                sam_core::Method::step(&mut plain, params, gradient, &mut oracle)
            }
        };
        let ObservedOracle { spent, clean_loss, gradients, hits, gradient_norm, .. } = oracle;
        if let Some(joint) = &joint {
            // Whatever came of it: they may be perturbed ones.
            joint.shards.all_gather(joint.ranks(), own, weights);
        }
        let step = step.map_err(|error| match error {
            StepError::Oracle(OracleError::Peer(peer), _) => LearnerError::Peer(peer),
            StepError::Oracle(OracleError::Interrupted, _) => LearnerError::Interrupted,
            other => LearnerError::backend(other),
        })?;
        self.loss_is_finite = step.clean.is_finite() && step.perturbed.is_none_or(f64::is_finite);
        self.gradients += gradients;
        random_layers::advance(&mut self.random);
        Ok(StepReport {
            loss: clean_loss,
            outcome: step.outcome,
            in_gradients: spent,
            in_batch: Duration::ZERO,
            figures: StepFigures {
                // Of mixed images it means nothing to have one class right.
                hits: mixup.is_none().then_some(hits),
                gradient_norm,
                perturbed_loss: step.perturbed,
            },
        })
    }
}

impl Learner for CpuLearner {
    fn batches(&mut self) -> &mut Option<HostBatches> {
        &mut self.batches
    }

    fn set_step(&mut self, number: u64) {
        random_layers::at(&mut self.random, number);
    }

    fn set_radius(&mut self, share: Option<f32>) {
        self.climbs = share.is_some();
        if let (Some(share), Some(rho)) = (share, self.method.rho()) {
            self.optimizer.set_radius(rho as f32 * share);
        }
    }

    fn watch(&mut self, interrupt: &Interrupt) {
        self.interrupt = interrupt.clone();
    }

    fn set_images(&mut self, images: &TrainingImages<'_>) -> Result<(), LearnerError> {
        let mut batches = HostBatches::new(images);
        if let Some(sharing) = &self.sharing {
            batches.set_share(sharing.share);
        }
        self.batches = Some(batches);
        Ok(())
    }

    fn ranks(&self) -> Rc<dyn Ranks> {
        self.sharing.as_ref().map_or_else(Alone::shared, Sharing::ranks)
    }

    fn set_total(&mut self, images: usize) {
        self.total = Some(images);
    }

    fn miss_step(&mut self) {
        let (Some(sharing), Some(_)) = (&mut self.sharing, self.total) else { return };
        sharing.word = Word::Failed;
        let ImageShape { height, width, channels } = self.shape;
        let nothing = Array4::zeros((0, height, width, channels));
        let step = self.step_on(Batch { images: nothing.view(), labels: &[] }, 0.0);
        debug_assert!(step.is_err(), "a step that this rank has failed in");
    }

    fn tell(&mut self, word: Word) {
        if let Some(sharing) = &mut self.sharing {
            sharing.word = word;
        }
    }

    fn told_to_stop(&self) -> bool {
        self.sharing.as_ref().is_some_and(|sharing| sharing.told_to_stop)
    }

    fn step_on(&mut self, batch: Batch<'_>, rate: f32) -> Result<StepReport, LearnerError> {
        self.optimizer.set_learning_rate(rate);
        self.statistics.copy_from_slice(self.network.statistics());
        let mut own = batch;
        let total = self.total.take();
        let mut place = Place { first: 0, total: total.unwrap_or(batch.labels.len()) };
        if let Some(sharing) = &mut self.sharing {
            let range = sharing.share.own(place.total);
            place.first = range.start;
            if total.is_none() {
                let images = batch.images.slice_axis_move(Axis(0), Slice::from(range.clone()));
                own = Batch { images, labels: &batch.labels[range] };
            }
            sharing.told_to_stop = false;
            sharing.start.clear();
            if !self.frozen {
                sharing.start.extend_from_slice(&self.statistics);
            }
        }
        let report = self.observed_step(own, place);
        if report.as_ref().is_ok_and(|report| report.outcome.moved()) {
            if let Some(mixup) = &mut self.mixup {
                mixup.pairs.steps += 1;
            }
        } else {
            self.network.set_statistics(&self.statistics).map_err(LearnerError::backend)?;
        }
        report
    }

    fn evaluate(&mut self, batch: Batch<'_>) -> Result<Evaluation, LearnerError> {
        self.network.evaluate(&self.weights, batch.images, batch.labels).map_err(LearnerError::backend)
    }

    fn export(&mut self) -> Result<State, LearnerError> {
        self.state(&|shard| self.joint().map(|joint| joint.whole(shard)))
    }

    fn export_on_first(&mut self) -> Result<Option<State>, LearnerError> {
        let Some(Sharing { sharded, .. }) = &self.sharing else { return self.export().map(Some) };
        let is_first = self.ranks().is_first();
        match sharded {
            None => is_first.then(|| self.export()).transpose(),
            Some(Partly { joint, .. }) if is_first => {
                self.state(&|shard| joint.shards.on_first(joint.ranks(), shard)).map(Some)
            }
            Some(Partly { joint, .. }) => {
                self.optimizer.save(&mut |_, values| {
                    if let Values::Reals(shard) = values {
                        joint.shards.on_first(joint.ranks(), shard);
                    }
                });
                Ok(None)
            }
        }
    }

    fn import(&mut self, state: &State) -> Result<(), LearnerError> {
        let (count, joint) = (self.weights.len(), self.joint().cloned());
        // What the others have of it has no part in this, nor have they themselves.
        let own = self.state(&|_| joint.is_some().then(|| vec![0.0; count]))?;
        state.check_against(&own)?;
        self.averages.import(&own, state)?;
        let network = &mut self.network;
        copy(state, WEIGHTS, network.tensors(), &mut self.weights);
        self.optimizer.load(&mut |piece, values| match (values, &joint) {
            (ValuesMut::Reals(values), None) => copy(state, &group(piece), network.tensors(), values),
            (ValuesMut::Reals(shard), Some(joint)) => {
                let mut whole = vec![0.0; count];
                copy(state, &group(piece), network.tensors(), &mut whole);
                joint.shards.take(joint.rank(), &whole, shard);
            }
            (ValuesMut::Counts(counts), _) => copy_counters(state, piece, counts),
        });
        if let Some(mixup) = &mut self.mixup {
            copy_counters(state, MIXUP_STEPS, std::slice::from_mut(&mut mixup.pairs.steps));
        }
        let mut statistics = network.statistics().to_vec();
        copy(state, STATISTICS, network.statistic_tensors(), &mut statistics);
        network.set_statistics(&statistics).map_err(LearnerError::backend)
    }

    fn arithmetic(&self) -> String {
        sam_backend_ndarray::arithmetic().to_owned()
    }

    fn parameter_count(&self) -> usize {
        self.weights.len()
    }

    fn weight_access(&mut self) -> Result<&mut dyn WeightAccess, LearnerError> {
        Ok(self)
    }

    fn diagnosis(&self) -> Option<&dyn Diagnosis> {
        Some(self)
    }
}

impl WeightAccess for CpuLearner {
    fn add_to_average(&mut self, which: Which) -> Result<(), LearnerError> {
        self.averages.add(which, &self.weights, self.network.statistics())
    }

    fn average(&mut self, which: Which) -> Result<Option<Averaged>, LearnerError> {
        self.averages.read(which)
    }

    fn parameters(&mut self) -> Result<Cow<'_, [f32]>, LearnerError> {
        Ok(Cow::Borrowed(&self.weights))
    }

    fn statistics(&mut self) -> Result<Cow<'_, [f32]>, LearnerError> {
        Ok(Cow::Borrowed(self.network.statistics()))
    }

    fn set_parameters(&mut self, parameters: &[f32], statistics: &[f32]) -> Result<(), LearnerError> {
        self.network.set_statistics(statistics).map_err(LearnerError::backend)?;
        self.weights.copy_from_slice(parameters);
        Ok(())
    }

    fn measure(&mut self, batch: Batch<'_>) -> Result<Vec<f32>, LearnerError> {
        let network = &mut self.network;
        network.set_random(None);
        network.set_batch(batch.images, batch.labels).map_err(LearnerError::backend)?;
        network.batch_statistics(&self.weights).map_err(LearnerError::backend)
    }

    fn freeze_statistics(&mut self) -> Result<(), LearnerError> {
        self.network.freeze_statistics(true);
        self.frozen = true;
        Ok(())
    }
}

impl Diagnosis for CpuLearner {
    fn kernels(&self) -> ChosenKernels {
        ChosenKernels::default()
    }

    fn origin(&self, pass: Pass) -> Option<Origin> {
        let perturbed = match pass {
            Pass::Clean => &self.weights,
            _ => self.optimizer.perturbed(&self.weights),
        };
        let infos = self.network.tensors();
        let of = |quantity: &str, info: Option<&TensorInfo>| {
            info.map(|info| Origin::of_layer(quantity, layer(info)))
        };
        of("weights", infos.iter().find(|info| !self.is_finite(perturbed, info)))
            .or_else(|| Some(Origin::of_layer("output", self.network.first_nonfinite_layer()?)))
            .or_else(|| {
                if !self.loss_is_finite {
                    return Some(Origin { quantity: "loss".to_owned(), layer: None, rank: None });
                }
                of("gradient", infos.iter().rfind(|info| !self.is_finite(&self.gradient, info)))
            })
    }
}

impl CpuLearner {
    /// Whether what `arena`, a vector or this rank's shard of one, has of a tensor is finite.
    fn is_finite(&self, arena: &[f32], info: &TensorInfo) -> bool {
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        match self.joint() {
            Some(joint) if arena.len() != self.weights.len() => {
                joint.shards.parts(joint.rank()).all(|(part, local)| {
                    let (start, end) = (info.range.start.max(part.start), info.range.end.min(part.end));
                    let offset = local.start;
                    start >= end || finite(&arena[offset + start - part.start..offset + end - part.start])
                })
            }
            _ => finite(&arena[info.range.clone()]),
        }
    }
}

/// The layer that a parameter tensor belongs to.
fn layer(info: &TensorInfo) -> &str {
    info.name.rsplit_once('.').map_or(info.name.as_str(), |(layer, _)| layer)
}
