//! The CUDA backend as a learner: a network of `sam-backend-cuda` with its SAM and SGD, all on the device.

use std::{borrow::Cow, time::Duration};

use ndarray::ArrayView4;
pub use sam_backend_cuda::Device;
use sam_backend_cuda::{
    CudaError, CudaNetwork, CudaSgd, CudaSpace, DeviceLoss, DeviceVec, Event, Gradient, NetworkError, Segment,
};
use sam_core::{
    Descent, GradientOracle, Outcome, ParamSpace, Pass, Sam, Verdict, WeightDecay, model::ImageShape,
};

use super::{
    learner::{Batch, Evaluation, Learner, LearnerError, StepReport},
    settings::{Method, Settings},
    state::{MOMENTUM, STATISTICS, State, Tensor, WEIGHTS},
};

/// The method runs on the CPU only.
#[derive(Debug, thiserror::Error)]
#[error("--backend cuda: expected sgd, sam or asam, found {0}; use --backend cpu")]
struct OtherMethod(&'static str);

/// Makes sure that the backend has what `settings` ask for.
///
/// # Errors
/// [`LearnerError::Backend`] if not.
pub fn check(settings: &Settings) -> Result<(), LearnerError> {
    match settings.method {
        Method::Sgd | Method::Sam { .. } | Method::Asam { .. } => Ok(()),
        other => Err(LearnerError::backend(OtherMethod(other.name()))),
    }
}

/// Opens the first GPU.
///
/// # Errors
/// [`LearnerError::Backend`] without one, or without its driver.
pub fn open() -> Result<Device, LearnerError> {
    Device::new(0).map_err(LearnerError::backend)
}

/// A freshly initialised [`CudaLearner`].
///
/// # Errors
/// As [`CudaLearner::new`].
pub fn learner(
    device: &Device,
    settings: &Settings,
    shape: ImageShape,
    classes: usize,
) -> Result<Box<dyn Learner>, LearnerError> {
    Ok(Box::new(CudaLearner::new(device, settings, shape, classes)?))
}

/// A network on a GPU with its weights, their gradient and the optimizer's buffers, each one flat vector there.
///
/// A step waits for the device once, at its end, for what its report says.
pub struct CudaLearner {
    network: CudaNetwork,
    weights: DeviceVec<f32>,
    gradient: Gradient,
    optimizer: Sam<CudaSpace, CudaSgd>,
    method: Method,
    /// Before and after each gradient of a step.
    marks: [[Event; 2]; 2],
}

impl CudaLearner {
    /// A freshly initialised network on `device` for images of `shape` in `classes` classes, with the weights that the CPU
    /// backend starts from.
    ///
    /// # Errors
    /// [`LearnerError::Backend`], when the network cannot be built, or the device has not enough memory.
    pub fn new(
        device: &Device,
        settings: &Settings,
        shape: ImageShape,
        classes: usize,
    ) -> Result<Self, LearnerError> {
        check(settings)?;
        let network = CudaNetwork::new(device, &settings.model, shape, classes, settings.batch);
        let mut network = network.map_err(LearnerError::backend)?;
        network.set_label_smoothing(settings.label_smoothing as f32);
        Self::around(device, settings, network).map_err(LearnerError::backend)
    }

    fn around(device: &Device, settings: &Settings, network: CudaNetwork) -> Result<Self, CudaError> {
        let weights = DeviceVec::from_slice(device, &network.initial_parameters(settings.seed))?;
        let n = weights.len();
        let rule = settings.method.rule();
        let sgd = &settings.sgd;
        let decay = sgd.weight_decay as f32;
        let decay = if sgd.decoupled { WeightDecay::Decoupled(decay) } else { WeightDecay::Coupled(decay) };
        let base = CudaSgd::new(device, sgd.lr as f32)?.with_decay(decay);
        let base = base.with_momentum(sgd.momentum as f32, n)?;
        let base = if sgd.nesterov { base.with_nesterov() } else { base };
        let event = || Event::new(device);
        Ok(Self {
            optimizer: Sam { space: CudaSpace::new(device, n)?, rule, base },
            gradient: Gradient::zeros(device, n)?,
            marks: [[event()?, event()?], [event()?, event()?]],
            method: settings.method,
            network,
            weights,
        })
    }

    /// One gradient, one step of the base optimizer.
    fn plain_step(&mut self) -> Result<(DeviceLoss, Outcome), LearnerError> {
        let Self { network, weights, gradient, optimizer, marks, .. } = self;
        let mut oracle = Timed { network, marks };
        let loss = oracle.gradient(weights, gradient, Pass::Clean).map_err(LearnerError::backend)?;
        optimizer.space.check(gradient).map_err(LearnerError::backend)?;
        optimizer.base.descend(weights, gradient).map_err(LearnerError::backend)?;
        let finite = gradient.is_finite().map_err(LearnerError::backend)?;
        let outcome = if finite { Outcome::Descended } else { Outcome::NonFinite(Pass::Clean) };
        Ok((loss, outcome))
    }

    /// Two gradients, one step of the base optimizer.
    fn sharpness_aware_step(&mut self) -> Result<(DeviceLoss, Outcome), LearnerError> {
        let Self { network, weights, gradient, optimizer, marks, .. } = self;
        let mut oracle = Timed { network, marks };
        let step = optimizer.step(weights, gradient, &mut oracle).map_err(LearnerError::backend)?;
        let clean = step.norm.verdict().map_err(LearnerError::backend)?;
        let finite = gradient.is_finite().map_err(LearnerError::backend)?;
        let outcome = match clean {
            Verdict::NonFinite => Outcome::NonFinite(Pass::Clean),
            _ if !finite => Outcome::NonFinite(Pass::Perturbed),
            Verdict::Zero => Outcome::ZeroGradient,
            Verdict::Finite | Verdict::Unknown => Outcome::Descended,
        };
        Ok((step.clean, outcome))
    }

    fn report(&self, loss: &DeviceLoss, outcome: Outcome) -> Result<StepReport, LearnerError> {
        let passes = match self.method {
            Method::Sgd => &self.marks[..1],
            _ => &self.marks[..],
        };
        let spent = |[before, after]: &[Event; 2]| after.since(before);
        let in_gradients = passes.iter().map(spent).sum::<Result<Duration, _>>();
        Ok(StepReport {
            loss: loss.value().map_err(LearnerError::backend)?,
            outcome,
            in_gradients: in_gradients.map_err(LearnerError::backend)?,
        })
    }
}

impl Learner for CudaLearner {
    fn step(&mut self, batch: Batch<'_>, rate: f32) -> Result<StepReport, LearnerError> {
        self.network.set_batch(&values(&batch.images), batch.labels).map_err(LearnerError::backend)?;
        self.network.remember_statistics().map_err(LearnerError::backend)?;
        self.optimizer.base.lr = rate;
        let done = match self.method {
            Method::Sgd => self.plain_step(),
            _ => self.sharpness_aware_step(),
        };
        if !matches!(done, Ok((_, Outcome::Descended | Outcome::ZeroGradient))) {
            self.network.recall_statistics().map_err(LearnerError::backend)?;
        }
        let (loss, outcome) = done?;
        self.report(&loss, outcome)
    }

    fn evaluate(&mut self, batch: Batch<'_>) -> Result<Evaluation, LearnerError> {
        let evaluation = self.network.evaluate(&self.weights, &values(&batch.images), batch.labels);
        let evaluation = evaluation.map_err(LearnerError::backend)?;
        Ok(Evaluation { loss: evaluation.loss, correct: evaluation.correct, count: evaluation.count })
    }

    fn export(&mut self) -> Result<State, LearnerError> {
        let network = &self.network;
        let weights = self.weights.read().map_err(LearnerError::backend)?;
        let momentum = match self.optimizer.base.momentum_buffer() {
            Some(momentum) => momentum.read().map_err(LearnerError::backend)?,
            None => vec![0.0; weights.len()],
        };
        let statistics = network.statistics().map_err(LearnerError::backend)?;
        let weights = tensors(WEIGHTS, network.segments(), &weights);
        let momentum = tensors(MOMENTUM, network.segments(), &momentum);
        let statistics = tensors(STATISTICS, network.statistic_segments(), &statistics);
        Ok(State { tensors: weights.chain(momentum).chain(statistics).collect() })
    }

    fn import(&mut self, state: &State) -> Result<(), LearnerError> {
        state.check_against(&self.export()?)?;
        let network = &mut self.network;
        let weights = gather(state, WEIGHTS, network.segments());
        self.weights.write(&weights).map_err(LearnerError::backend)?;
        if let Some(momentum) = self.optimizer.base.momentum_buffer_mut() {
            let values = gather(state, MOMENTUM, network.segments());
            momentum.write(&values).map_err(LearnerError::backend)?;
        }
        let statistics = gather(state, STATISTICS, network.statistic_segments());
        network.set_statistics(&statistics).map_err(LearnerError::backend)
    }

    fn parameter_count(&self) -> usize {
        self.weights.len()
    }
}

/// The images in one piece, copied only if they are not.
fn values<'a>(images: &'a ArrayView4<'_, f32>) -> Cow<'a, [f32]> {
    match images.as_slice() {
        Some(values) => Cow::Borrowed(values),
        None => Cow::Owned(images.iter().copied().collect()),
    }
}

fn tensors<'a>(
    group: &'a str,
    segments: &'a [Segment],
    values: &'a [f32],
) -> impl Iterator<Item = Tensor> + use<'a> {
    segments.iter().map(move |segment| Tensor {
        name: format!("{group}{}", segment.name),
        shape: segment.shape.clone(),
        values: values[segment.range.clone()].to_vec(),
    })
}

/// The values of the tensors of `group` in the order of `segments`; [`State::check_against`] has made sure that they fit.
fn gather(state: &State, group: &str, segments: &[Segment]) -> Vec<f32> {
    let tensors = segments.iter().filter_map(|segment| state.get(&format!("{group}{}", segment.name)));
    tensors.flat_map(|tensor| &tensor.values).copied().collect()
}

/// Marks on the device where each gradient begins and ends.
struct Timed<'a> {
    network: &'a mut CudaNetwork,
    marks: &'a mut [[Event; 2]; 2],
}

impl GradientOracle<DeviceVec<f32>, Gradient> for Timed<'_> {
    type Loss = DeviceLoss;
    type Error = NetworkError;

    fn gradient(
        &mut self,
        params: &DeviceVec<f32>,
        grads: &mut Gradient,
        pass: Pass,
    ) -> Result<DeviceLoss, NetworkError> {
        let [before, after] = &mut self.marks[usize::from(pass == Pass::Perturbed)];
        before.record()?;
        let loss = self.network.gradient(params, grads, pass)?;
        after.record()?;
        Ok(loss)
    }
}
