//! The CUDA backend as a learner: a network of `sam-backend-cuda` with its SAM family and SGD, all on the device.

mod in_groups;
mod method;

use std::{borrow::Cow, rc::Rc, time::Duration};

use ndarray::ArrayView4;
use sam_backend_cuda::{
    self as backend, Augmentation, CudaAverage, CudaError, CudaNetwork, DeviceImages, DeviceStep, DeviceVec,
    NetworkError, Settled, StepGraph,
};
use sam_core::{Pass, Values, ValuesMut};
use sam_model::{Evaluation, ImageShape, random::Random};

use super::{
    average::{Averaged, Averages, Mean, Which},
    counters::{copy_counters, counters},
    host_batches::HostBatches,
    kernel_choice::{ChosenKernels, KernelChoice},
    learner::{
        Batch, Chosen, Diagnosis, Learner, LearnerError, StepFigures, StepReport, TrainingImages,
        WeightAccess, Word, step_from_host,
    },
    nonfinite::Origin,
    pairs::{MIXUP_STEPS, Pairs},
    precision::Precision,
    random_layers,
    settings::{DecayIn, Method, Settings, Tensors},
    state::{STATISTICS, State, WEIGHTS},
    tensors::{gather, group, tensors},
};
use crate::{
    data::{Augment, PADDING, Pixels},
    random::Purpose,
    ranks::{Alone, Ranks},
};
use in_groups::InGroups;

/// The method runs on the CPU only.
#[derive(Debug, thiserror::Error)]
#[error("`backend` cuda: expected {expected}, found {found}; use `backend` cpu")]
struct OtherMethod {
    expected: String,
    found: &'static str,
}

/// A recorded step has batches of one size.
#[derive(Debug, thiserror::Error)]
#[error(
    "`last-batch` keep: expected `backend` cpu, found cuda, whose steps have one size; use `last-batch` drop"
)]
struct WholeBatches;

impl OtherMethod {
    fn error(found: Method) -> LearnerError {
        let runs = Method::ALL.iter().filter(|&&method| method::runs(method)).map(Method::name);
        let names = runs.collect::<Vec<_>>().join(", ");
        LearnerError::backend(Self { expected: format!("one of {names}"), found: found.name() })
    }
}

/// Makes sure that the backend has what `settings` ask for.
///
/// # Errors
/// [`LearnerError::Backend`] if not.
pub fn check(settings: &Settings) -> Result<(), LearnerError> {
    if settings.checkpoint_activations {
        return Err(LearnerError::backend(OnlyOnTheProcessor));
    }
    let method = settings.method;
    if !method::runs(method) {
        return Err(OtherMethod::error(method));
    }
    let Settings { base, sgd, ascent, .. } = settings;
    let others = [
        ("base", base.name(), "sgd", !base.is_sgd()),
        ("decay-on", "weights", "all", sgd.decay_on != Tensors::All),
        ("mixup", "beside `optimizer`", "`optimizer` mixup", settings.data.mixup.is_some()),
        ("decay-in", "loss", "base", sgd.decay_in != DecayIn::Base),
        ("perturb", "weights", "all", ascent.tensors != Tensors::All),
        (
            "rho-schedule",
            "of a radius that changes",
            "a constant one from the first step on",
            !ascent.is_constant(),
        ),
    ];
    if let Some((setting, found, has, _)) = others.into_iter().find(|&(.., asked)| asked) {
        return Err(LearnerError::backend(ElsewhereOnly { setting, found, has }));
    }
    if settings.last_batch.is_drop() { Ok(()) } else { Err(LearnerError::backend(WholeBatches)) }
}

/// The value of a setting that only the processor knows.
#[derive(Debug, thiserror::Error)]
#[error("`{setting}` {found}: expected `backend` cpu, found cuda, which has {has} only; use `backend` cpu")]
struct ElsewhereOnly {
    setting: &'static str,
    found: &'static str,
    has: &'static str,
}

/// Activations are kept on a GPU.
#[derive(Debug, thiserror::Error)]
#[error(
    "`checkpoint-activations`: expected `backend` cpu, found cuda, which keeps activations; leave it out or use a smaller batch"
)]
struct OnlyOnTheProcessor;

/// Every GPU keeps all of a run's state.
#[derive(Debug, thiserror::Error)]
#[error(
    "`shard-state` on: expected `backend` cpu, found cuda, each of whose ranks keeps all of the state; use `shard-state` off"
)]
struct WholeState;

/// A GPU, and how networks multiply there.
#[derive(Debug, Clone)]
pub struct Device {
    /// The GPU.
    pub gpu: backend::Device,
    /// What they multiply in.
    pub precision: backend::Precision,
    /// Whose kernels they multiply with.
    pub kernels: backend::KernelChoice,
}

impl Device {
    /// With another precision.
    ///
    /// # Errors
    /// [`LearnerError::Backend`] if the GPU has no tensor cores for it.
    pub fn with_precision(self, precision: Precision) -> Result<Self, LearnerError> {
        let precision = match precision {
            Precision::F32 => backend::Precision::Single,
            Precision::Tf32 => backend::Precision::Tf32,
            Precision::Bf16 => backend::Precision::Bf16,
        };
        self.gpu.check_precision(precision)?;
        Ok(Self { precision, ..self })
    }

    /// The same device with other kernels for its products.
    ///
    /// # Errors
    /// [`LearnerError::Backend`] if they are NVIDIA's by all means, and a library of those is not there.
    pub fn with_kernels(self, kernels: KernelChoice) -> Result<Self, LearnerError> {
        let kernels = match kernels {
            KernelChoice::Auto => backend::KernelChoice::Auto,
            KernelChoice::Native => backend::KernelChoice::Native,
            KernelChoice::Vendor => backend::KernelChoice::Vendor,
        };
        self.gpu.check_kernels(kernels)?;
        Ok(Self { kernels, ..self })
    }
}

/// Opens the GPU of that number, as the driver counts them from 0 on.
///
/// # Errors
/// [`LearnerError::Backend`] without one, or without its driver.
pub fn open(device: u32) -> Result<Device, LearnerError> {
    let gpu = backend::Device::new(device)?;
    let (precision, kernels) = (backend::Precision::Single, backend::KernelChoice::Native);
    Ok(Device { gpu, precision, kernels })
}

/// A freshly initialised [`CudaLearner`].
///
/// # Errors
/// As [`CudaLearner::on_ranks`].
pub fn learner(
    device: &Device,
    settings: &Settings,
    shape: ImageShape,
    classes: usize,
    ranks: Rc<dyn Ranks>,
) -> Result<Box<dyn Learner>, LearnerError> {
    Ok(Box::new(CudaLearner::on_ranks(device, settings, shape, classes, ranks)?))
}

/// A network on a GPU with its weights, their gradient and the optimizer's buffers, each one flat vector there.
///
/// A step is one launch of a recorded graph where the driver has them and the method allows it. It waits for the device
/// at its end only, for what its report says.
pub struct CudaLearner {
    steps: StepGraph<Box<dyn DeviceStep>>,
    averages: Averages<CudaAverage>,
    precision: backend::Precision,
    /// Which images are mixed, if any are.
    mixup: Option<Pairs>,
    /// What the next step's random layers draw from, if there are any.
    random: Option<Random>,
    /// The training images, if the device has room for them; else `batches` has them.
    images: Option<ImagesThere>,
    batches: Option<HostBatches>,
    groups: InGroups,
}

/// The training images on the device.
struct ImagesThere {
    images: DeviceImages,
    augment: Augment,
    seed: u64,
    /// The epoch whose order is there too.
    epoch: Option<u64>,
}

impl CudaLearner {
    /// A freshly initialised network on `device` for images of `shape` in `classes` classes, with the weights that the CPU
    /// backend starts from.
    ///
    /// # Errors
    /// [`LearnerError::Backend`], when the network cannot be built, the device has not enough memory, or the method is
    /// none that runs there.
    pub fn new(
        device: &Device,
        settings: &Settings,
        shape: ImageShape,
        classes: usize,
    ) -> Result<Self, LearnerError> {
        Self::on_ranks(device, settings, shape, classes, Alone::shared())
    }

    /// The same as one of several `ranks`, each of which has a GPU for itself; all of them make one. Their GPUs find each other at the
    /// first step.
    ///
    /// # Errors
    /// As [`CudaLearner::new`]; [`LearnerError::Backend`] too when the ranks cannot share out the groups of `settings`, or are to keep a
    /// part each of a run's state.
    pub fn on_ranks(
        device: &Device,
        settings: &Settings,
        shape: ImageShape,
        classes: usize,
        ranks: Rc<dyn Ranks>,
    ) -> Result<Self, LearnerError> {
        check(settings)?;
        if ranks.shard_state() && !ranks.is_alone() {
            return Err(LearnerError::backend(WholeState));
        }
        let groups = InGroups::new(settings.groups, ranks)?;
        let Device { gpu, precision, kernels } = device;
        let description = settings.describe(shape, classes).map_err(LearnerError::backend)?;
        let batch = settings.batch.largest();
        let room = settings.at_once();
        let mut network = CudaNetwork::build_in_parts(gpu, &description, (batch, room), *precision)?;
        match settings.method {
            Method::MSharpness { m, .. } if settings.groups.is_none() => network.set_part(m.min(batch))?,
            Method::Mixup { .. } => network = network.with_mixing()?,
            _ => {}
        }
        network.set_kernels(*kernels)?;
        network.set_label_smoothing(settings.label_smoothing as f32);
        let method = method::build(gpu, settings, network.parameter_count());
        let method = method?;
        let method = method.ok_or_else(|| OtherMethod::error(settings.method))?;
        Ok(Self::around(gpu, settings, network, *precision, method, groups)?)
    }

    fn around(
        device: &backend::Device,
        settings: &Settings,
        network: CudaNetwork,
        precision: backend::Precision,
        method: Box<dyn DeviceStep>,
        groups: InGroups,
    ) -> Result<Self, CudaError> {
        let weights = DeviceVec::from_slice(device, &network.initial_parameters(settings.seed))?;
        let average = |weighting, length| CudaAverage::new(device, weighting, length);
        let statistics = network.running_statistics().len();
        let random = network.is_random().then(|| random_layers::first(settings));
        let mixup = match settings.method {
            Method::Mixup { alpha } => Some(Pairs::new(alpha, settings.seed)),
            _ => None,
        };
        let averages = Averages::new(&settings.average, weights.len(), statistics, average)?;
        Ok(Self {
            steps: StepGraph::new(method, network, weights)?.with_marks()?,
            averages,
            precision,
            mixup,
            random,
            images: None,
            batches: None,
            groups,
        })
    }

    /// Launches steps kernel by kernel, as without graphs. The bits are the same.
    #[must_use]
    pub fn without_recording(self) -> Self {
        Self { steps: self.steps.without_recording(), ..self }
    }

    /// Launches and copies of a recorded step; `None` where steps are not recorded, or none has been made.
    ///
    /// # Errors
    /// [`LearnerError::Backend`], when the device fails.
    pub fn launches(&self) -> Result<Option<usize>, LearnerError> {
        Ok(self.steps.launches()?)
    }

    /// A step on the batch that is set, if it is, of so many images.
    fn step_at(
        &mut self,
        is_set: Result<(), LearnerError>,
        images: usize,
        rate: f32,
    ) -> Result<StepReport, LearnerError> {
        self.groups.meet(is_set)?;
        let shared_out = self.groups.share_out(&mut self.steps, images);
        let report = shared_out.and_then(|()| self.step_together(images, rate));
        if report.is_err() {
            self.groups.leave(&mut self.steps);
        }
        report
    }

    /// The step itself, which all ranks make.
    fn step_together(&mut self, images: usize, rate: f32) -> Result<StepReport, LearnerError> {
        if let Some(pairs) = &self.mixup {
            let (share, partners) = pairs.draw(images, self.groups.numbered(images));
            let partners: Vec<u32> = partners.into_iter().map(|partner| partner as u32).collect();
            self.steps.mix(&partners, share)?;
        }
        if self.random.is_some() {
            self.steps.set_random(self.random)?;
        }
        self.steps.remember_statistics()?;
        self.steps.set_rate(rate);
        let report = self.observed_step();
        random_layers::advance(&mut self.random);
        if !report.as_ref().is_ok_and(|report| report.outcome.moved()) {
            self.steps.recall_statistics()?;
        } else if let Some(pairs) = &mut self.mixup {
            pairs.steps += 1;
        }
        report
    }

    fn observed_step(&mut self) -> Result<StepReport, LearnerError> {
        let steps = &mut self.steps;
        let report = steps.step().map_err(LearnerError::backend)?;
        let Settled { loss, outcome, in_gradients } = steps.settle(&report)?;
        let (in_batch, figures) = (Duration::ZERO, StepFigures::default());
        Ok(StepReport { loss, outcome, in_gradients, in_batch, figures })
    }
}

impl Learner for CudaLearner {
    fn batches(&mut self) -> &mut Option<HostBatches> {
        &mut self.batches
    }

    fn set_step(&mut self, number: u64) {
        random_layers::at(&mut self.random, number);
    }

    fn ranks(&self) -> Rc<dyn Ranks> {
        self.groups.ranks()
    }

    fn miss_step(&mut self) {
        let failed: Result<(), _> = Err(LearnerError::Interrupted);
        let met = self.groups.meet(failed);
        debug_assert!(met.is_err(), "a step that this rank has failed in");
    }

    fn tell(&mut self, word: Word) {
        self.groups.word = word;
    }

    fn told_to_stop(&self) -> bool {
        self.groups.told_to_stop
    }

    fn set_images(&mut self, images: &TrainingImages<'_>) -> Result<(), LearnerError> {
        let device = self.steps.params().device();
        let &TrainingImages { pixels, labels, shape, standardizer, augmentation, seed, .. } = images;
        if !augmentation.is_plain() || matches!(pixels, Pixels::Pictures(_)) {
            // The host draws and makes these.
            self.batches = Some(HostBatches::new(images));
            return Ok(());
        }
        let augment = augmentation.augment;
        let bytes = pixels.all()?;
        match DeviceImages::new(device, shape, &bytes, labels, standardizer.tables()) {
            Ok(there) => self.images = Some(ImagesThere { images: there, augment, seed, epoch: None }),
            // They stay where they are.
            Err(CudaError::Memory { .. } | CudaError::TooLarge { .. }) => {
                self.batches = Some(HostBatches::new(images));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn step(&mut self, chosen: Chosen<'_>, rate: f32) -> Result<StepReport, LearnerError> {
        self.set_step(chosen.number());
        let Some(there) = self.images.as_mut() else { return step_from_host(self, chosen, rate) };
        let Chosen { epoch, order, range, .. } = chosen;
        let (steps, count) = (&mut self.steps, range.len());
        let mut set = || -> Result<(), LearnerError> {
            if there.epoch != Some(epoch) {
                there.images.set_order(order)?;
                there.epoch = Some(epoch);
            }
            let augmentation = augmentation(there.augment, there.seed, epoch);
            Ok(steps.set_batch_from(&there.images, range.clone(), augmentation.as_ref())?)
        };
        let is_set = set();
        self.step_at(is_set, count, rate)
    }

    fn step_on(&mut self, batch: Batch<'_>, rate: f32) -> Result<StepReport, LearnerError> {
        let is_set = self.steps.set_batch(&values(&batch.images), batch.labels).map_err(LearnerError::from);
        self.step_at(is_set, batch.labels.len(), rate)
    }

    fn evaluate(&mut self, batch: Batch<'_>) -> Result<Evaluation, LearnerError> {
        Ok(self.steps.evaluate(&values(&batch.images), batch.labels)?)
    }

    fn export(&mut self) -> Result<State, LearnerError> {
        let (method, network, weights) = self.steps.parts_mut();
        let weights = weights.read()?;
        let mut state = State { tensors: tensors(WEIGHTS, network.tensors(), &weights).collect() };
        let saved = method.save(&mut |piece, values| match values {
            Values::Reals(values) => state.tensors.extend(tensors(&group(piece), network.tensors(), values)),
            Values::Counts(counts) => state.tensors.push(counters(piece, counts)),
        });
        saved?;
        if let Some(pairs) = &self.mixup {
            state.tensors.push(counters(MIXUP_STEPS, &[pairs.steps]));
        }
        let statistics = network.statistics()?;
        state.tensors.extend(tensors(STATISTICS, network.statistic_tensors(), &statistics));
        self.averages.export(&mut state)?;
        Ok(state)
    }

    fn export_on_first(&mut self) -> Result<Option<State>, LearnerError> {
        self.ranks().is_first().then(|| self.export()).transpose()
    }

    fn import(&mut self, state: &State) -> Result<(), LearnerError> {
        let own = self.export()?;
        state.check_against(&own)?;
        self.averages.import(&own, state)?;
        let (method, network, weights) = self.steps.parts_mut();
        let values = gather(state, WEIGHTS, network.tensors());
        weights.write(&values)?;
        let loaded = method.load(&mut |piece, values| match values {
            ValuesMut::Reals(values) => {
                values.copy_from_slice(&gather(state, &group(piece), network.tensors()));
            }
            ValuesMut::Counts(counts) => copy_counters(state, piece, counts),
        });
        loaded?;
        if let Some(pairs) = &mut self.mixup {
            copy_counters(state, MIXUP_STEPS, std::slice::from_mut(&mut pairs.steps));
        }
        let statistics = gather(state, STATISTICS, network.statistic_tensors());
        Ok(network.set_statistics(&statistics)?)
    }

    fn arithmetic(&self) -> String {
        format!("a GPU, products in {}", self.precision)
    }

    fn parameter_count(&self) -> usize {
        self.steps.params().len()
    }

    fn weight_access(&mut self) -> Result<&mut dyn WeightAccess, LearnerError> {
        Ok(self)
    }

    fn diagnosis(&self) -> Option<&dyn Diagnosis> {
        Some(self)
    }
}

impl Diagnosis for CudaLearner {
    // The device's numbers stay there.
    fn origin(&self, _: Pass) -> Option<Origin> {
        None
    }

    fn kernels(&self) -> ChosenKernels {
        let kernels = self.steps.network().kernels();
        let vendor = kernels.iter().filter(|kernel| kernel.vendor).count();
        ChosenKernels { vendor, products: kernels.iter().map(ToString::to_string).collect() }
    }
}

impl WeightAccess for CudaLearner {
    fn add_to_average(&mut self, which: Which) -> Result<(), LearnerError> {
        self.averages.add(which, self.steps.params(), self.steps.network().running_statistics())
    }

    fn average(&mut self, which: Which) -> Result<Option<Averaged>, LearnerError> {
        self.averages.read(which)
    }

    fn parameters(&mut self) -> Result<Cow<'_, [f32]>, LearnerError> {
        Ok(self.steps.params().read().map(Cow::Owned)?)
    }

    fn statistics(&mut self) -> Result<Cow<'_, [f32]>, LearnerError> {
        Ok(self.steps.network().statistics().map(Cow::Owned)?)
    }

    fn set_parameters(&mut self, parameters: &[f32], statistics: &[f32]) -> Result<(), LearnerError> {
        self.steps.set_statistics(statistics)?;
        Ok(self.steps.set_params(parameters)?)
    }

    fn measure(&mut self, batch: Batch<'_>) -> Result<Vec<f32>, LearnerError> {
        self.steps.set_batch(&values(&batch.images), batch.labels)?;
        self.steps.set_random(None)?;
        Ok(self.steps.batch_statistics()?)
    }

    fn freeze_statistics(&mut self) -> Result<(), LearnerError> {
        self.steps.freeze_statistics(true);
        Ok(())
    }
}

impl From<CudaError> for LearnerError {
    fn from(error: CudaError) -> Self {
        Self::backend(error)
    }
}

impl From<NetworkError> for LearnerError {
    fn from(error: NetworkError) -> Self {
        Self::backend(error)
    }
}

/// Nothing waits for the device before the average is read.
impl Mean for CudaAverage {
    type Numbers = DeviceVec<f32>;

    fn add(&mut self, numbers: &DeviceVec<f32>) -> Result<(), LearnerError> {
        Ok(Self::add(self, numbers)?)
    }

    fn count(&self) -> u64 {
        Self::count(self)
    }

    fn read(&self) -> Result<Cow<'_, [f32]>, LearnerError> {
        Ok(self.mean().read().map(Cow::Owned)?)
    }

    fn restore(&mut self, count: u64, mean: &[f32]) -> Result<(), LearnerError> {
        Ok(Self::restore(self, count, mean)?)
    }
}

/// How the device changes the images of an epoch: as the host does, with the same random numbers.
pub fn augmentation(augment: Augment, seed: u64, epoch: u64) -> Option<Augmentation> {
    let key = [seed, Purpose::Augmentation as u64, epoch];
    let cutout = augment == Augment::Cutout;
    (augment != Augment::None).then_some(Augmentation { padding: PADDING, cutout, key })
}

/// The images in one piece, copied only if they are not.
fn values<'a>(images: &'a ArrayView4<'_, f32>) -> Cow<'a, [f32]> {
    match images.as_slice() {
        Some(values) => Cow::Borrowed(values),
        None => Cow::Owned(images.iter().copied().collect()),
    }
}
