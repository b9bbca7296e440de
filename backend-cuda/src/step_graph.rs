//! A whole step as one CUDA graph.

#![allow(unsafe_code, reason = "launches of a graph")]

use core::{ops::Range, time::Duration};

use sam_core::{Outcome, StepError};
use sam_model::{Evaluation, random::Random};

use crate::{
    Augmentation, CudaError, CudaNetwork, DeviceImages, DeviceVec, Gradient, NetworkError,
    graph::Graph,
    sharing::{Shared, Sharing},
    step::{self, DeviceOracle, DeviceReport, DeviceStep, DeviceStepResult},
    timing::{Marks, Timed},
};

/// Steps of a method on a network, recorded at the second of a kind and replayed from then on: gradients, norm, ascent, check and
/// descent are one launch. For small networks, whose kernels take less time than their launches. The first is launched kernel by
/// kernel, for libraries load what they need at its first use, which a recording does not survive.
///
/// It owns all that the recording refers to. Where the driver cannot record, or a recording fails
/// ([`StepGraph::unrecorded`]), or the method cannot be recorded ([`DeviceStep::is_recordable`]), steps are launched kernel by
/// kernel: see [`StepGraph::launches`]. The bits are the same.
pub struct StepGraph<S> {
    /// Of each kind of step ([`DeviceStep::kind`]). Dropped first: they refer to all the rest.
    kinds: Vec<Kind>,
    /// Whether steps are still to be recorded.
    recording: bool,
    /// Whether the latest step was counted, and nobody has asked what it came to.
    counted: bool,
    /// Why a recording failed.
    unrecorded: Option<String>,
    /// Where a step's numbers are put together for the host.
    gathered: DeviceVec<u32>,
    marks: Option<Marks>,
    method: S,
    network: CudaNetwork,
    sharing: Option<Sharing>,
    w: DeviceVec<f32>,
    g: Gradient,
    samples: usize,
}

/// What a step came to, on the host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settled {
    /// Mean loss of the batch in the clean pass.
    pub loss: f64,
    /// Whether the weights were changed, and if not, why.
    pub outcome: Outcome,
    /// The part of the step spent in gradients; zero without [`StepGraph::with_marks`].
    pub in_gradients: Duration,
}

/// How far a kind of step is.
enum Kind {
    /// None was made.
    New,
    /// One has been launched as it will be recorded.
    Launched,
    Recorded(Box<Recorded>),
}

struct Recorded {
    graph: Graph,
    report: DeviceReport,
    /// Gradients that are marked in it.
    gradients: usize,
}

/// Inside a recording, where every failure of the device's is the recording's.
enum RecordError {
    Device(CudaError),
    Step(StepError<CudaError, NetworkError, CudaError>),
}

impl From<CudaError> for RecordError {
    fn from(error: CudaError) -> Self {
        Self::Device(error)
    }
}

impl<S: DeviceStep> StepGraph<S> {
    /// Steps of `method` on `network` from the parameters `w`.
    ///
    /// # Errors
    /// A device that fails.
    pub fn new(method: S, network: CudaNetwork, w: DeviceVec<f32>) -> Result<Self, CudaError> {
        let g = Gradient::zeros(w.device(), w.len())?;
        let recording = method.is_recordable();
        let gathered = DeviceVec::zeros(w.device(), step::REPORT_WORDS)?;
        Ok(Self {
            kinds: Vec::new(),
            recording,
            counted: false,
            unrecorded: None,
            gathered,
            marks: None,
            method,
            network,
            sharing: None,
            w,
            g,
            samples: 0,
        })
    }

    /// Launches steps kernel by kernel, as a driver that cannot record makes it do: to compare, and to find a fault.
    #[must_use]
    pub fn without_recording(self) -> Self {
        Self { kinds: Vec::new(), recording: false, ..self }
    }

    /// Marks where gradients begin and end, for [`StepGraph::in_gradients`].
    ///
    /// # Errors
    /// A device that fails.
    pub fn with_marks(self) -> Result<Self, CudaError> {
        let marks = Some(Marks::new(self.w.device().clone()));
        Ok(Self { kinds: Vec::new(), marks, ..self })
    }

    /// Has steps take the gradients of groups of the batch, of which other GPUs may have others: all of them make the same calls. Every
    /// rank sets the whole batch. A recording has the messages in it; all ranks record, or none. Each step remembers the running
    /// statistics ([`CudaNetwork::remember_statistics`]).
    pub fn share(&mut self, sharing: Sharing) {
        self.kinds.clear();
        self.sharing = Some(sharing);
    }

    /// How the batch is shared out, to cut batches of another size otherwise; nothing before [`StepGraph::share`].
    pub const fn sharing(&mut self) -> Option<&mut Sharing> {
        self.sharing.as_mut()
    }

    /// The batch of the steps to come, as in [`CudaNetwork::set_batch`]. One of another size is recorded anew.
    ///
    /// # Errors
    /// As [`CudaNetwork::set_batch`].
    pub fn set_batch(&mut self, images: &[f32], labels: &[u16]) -> Result<(), NetworkError> {
        self.network.set_batch(images, labels)?;
        self.expect(labels.len());
        Ok(())
    }

    /// The batch of the steps to come, as in [`CudaNetwork::set_batch_from`]. Waits for nothing. One of another size is
    /// recorded anew.
    ///
    /// # Errors
    /// As [`CudaNetwork::set_batch_from`].
    pub fn set_batch_from(
        &mut self,
        images: &DeviceImages,
        range: Range<usize>,
        augmentation: Option<&Augmentation>,
    ) -> Result<(), NetworkError> {
        let samples = range.len();
        self.network.set_batch_from(images, range, augmentation)?;
        self.expect(samples);
        Ok(())
    }

    /// As [`CudaNetwork::mix`], of the batch that is set.
    ///
    /// # Errors
    /// As [`CudaNetwork::mix`].
    pub fn mix(&mut self, partners: &[u32], share: f64) -> Result<(), NetworkError> {
        self.network.mix(partners, share)
    }

    /// As [`CudaNetwork::evaluate`], at the parameters; the batch of the steps to come is set anew afterwards.
    ///
    /// # Errors
    /// As [`CudaNetwork::evaluate`].
    pub fn evaluate(&mut self, images: &[f32], labels: &[u16]) -> Result<Evaluation, NetworkError> {
        self.network.evaluate(&self.w, images, labels)
    }

    /// Replaces the parameters. What was recorded stays right: it says where they are, not what. Waits for the device.
    ///
    /// # Errors
    /// [`CudaError::Length`] if there is not one value for each.
    pub fn set_params(&mut self, params: &[f32]) -> Result<(), CudaError> {
        CudaError::check_length("parameters", self.w.len(), params.len())?;
        self.w.write(params)
    }

    /// As [`CudaNetwork::set_statistics`].
    ///
    /// # Errors
    /// As [`CudaNetwork::set_statistics`].
    pub fn set_statistics(&mut self, statistics: &[f32]) -> Result<(), CudaError> {
        self.network.set_statistics(statistics)
    }

    /// As [`CudaNetwork::freeze_statistics`]; the next step but one is recorded anew.
    pub fn freeze_statistics(&mut self, frozen: bool) {
        self.parts_mut().1.freeze_statistics(frozen);
    }

    /// As [`CudaNetwork::batch_statistics`], at the parameters, of the batch of the steps to come.
    ///
    /// # Errors
    /// As [`CudaNetwork::batch_statistics`].
    pub fn batch_statistics(&mut self) -> Result<Vec<f32>, NetworkError> {
        self.network.batch_statistics(&self.w)
    }

    /// As [`CudaNetwork::set_random`]: once before each step of a network with random layers, of another key each time. What
    /// was recorded draws from what was set last.
    ///
    /// # Errors
    /// A device that fails.
    pub fn set_random(&mut self, random: Option<Random>) -> Result<(), CudaError> {
        self.network.set_random(random)
    }

    /// As [`CudaNetwork::remember_statistics`].
    ///
    /// # Errors
    /// A device that fails.
    pub fn remember_statistics(&mut self) -> Result<(), CudaError> {
        self.network.remember_statistics()
    }

    /// As [`CudaNetwork::recall_statistics`].
    ///
    /// # Errors
    /// A device that fails.
    pub fn recall_statistics(&mut self) -> Result<(), CudaError> {
        self.network.recall_statistics()
    }

    /// Changes the learning rate of the steps to come.
    pub fn set_rate(&mut self, lr: f32) {
        self.method.set_rate(lr);
    }

    /// Changes the radius of the steps to come.
    pub fn set_radius(&mut self, rho: f32) {
        self.method.set_radius(rho);
    }

    /// One step. Waits for nothing, unless the method does.
    ///
    /// # Errors
    /// [`StepError`] says who failed; [`NetworkError::NoBatch`] before a batch is set.
    pub fn step(&mut self) -> DeviceStepResult {
        if !self.network.has_batch() {
            return Err(StepError::Oracle(NetworkError::NoBatch, sam_core::Pass::Clean));
        }
        // What changes from step to step is not part of the recording.
        self.method.prepare().map_err(StepError::Space)?;
        if self.sharing.is_some() {
            self.network.remember_statistics().map_err(StepError::Space)?;
        }
        let report = self.step_of_kind(self.method.kind())?;
        self.counted = report.outcome.steps();
        if self.counted {
            self.method.count();
        }
        Ok(report)
    }

    fn step_of_kind(&mut self, kind: usize) -> DeviceStepResult {
        if self.kinds.len() <= kind {
            self.kinds.resize_with(kind + 1, || Kind::New);
        }
        match &mut self.kinds[kind] {
            Kind::Recorded(recorded) => {
                if let Some(marks) = &mut self.marks {
                    marks.gradients = recorded.gradients;
                }
                // SAFETY: this owns everything that the step refers to, and nothing of it has been replaced: `parts_mut`
                // forgets the recording, and so does a batch of another size.
                unsafe { recorded.graph.launch() }.map_err(StepError::Space)?;
                return Ok(recorded.report.clone());
            }
            Kind::New if self.recording => {
                let report = self.launch()?;
                self.kinds[kind] = Kind::Launched;
                return Ok(report);
            }
            Kind::Launched if self.recording => {}
            _ => return self.launch(),
        }
        let device = self.w.device().clone();
        let recorded = Graph::record(&device, || self.launch().map_err(RecordError::Step));
        // Messages are recorded by all ranks or by none.
        if let Some(peers) = self.sharing.as_mut().and_then(Sharing::peers) {
            let all = peers.all(matches!(recorded, Ok(Some(_)))).map_err(StepError::Space)?;
            if !all && matches!(recorded, Ok(Some(_))) {
                return self.give_up_recording("another rank cannot record".to_owned());
            }
        }
        match recorded {
            Ok(Some((mut graph, report))) => {
                // SAFETY: as above.
                unsafe { graph.launch() }.map_err(StepError::Space)?;
                let gradients = self.marks.as_ref().map_or(0, |marks| marks.gradients);
                let recorded = Recorded { graph, report: report.clone(), gradients };
                self.kinds[kind] = Kind::Recorded(Box::new(recorded));
                Ok(report)
            }
            Ok(None) => self.give_up_recording("the driver cannot record".to_owned()),
            // Nothing of it was done. If the step itself fails it does so again.
            Err(RecordError::Device(error)) => self.give_up_recording(error.to_string()),
            Err(RecordError::Step(error)) => self.give_up_recording(error.to_string()),
        }
    }

    fn give_up_recording(&mut self, reason: String) -> DeviceStepResult {
        self.recording = false;
        self.unrecorded = Some(reason);
        self.launch()
    }

    fn launch(&mut self) -> DeviceStepResult {
        let Self { marks, method, network, sharing, w, g, .. } = self;
        let mut shared;
        let batch: &mut DeviceOracle<'_> = match sharing {
            Some(sharing) => {
                shared = Shared::new(network, sharing);
                &mut shared
            }
            None => network,
        };
        match marks {
            Some(marks) => {
                marks.gradients = 0;
                method.launch(w, g, &mut Timed { batch, marks } as &mut DeviceOracle<'_>)
            }
            None => method.launch(w, g, batch),
        }
    }

    /// What the step that `report` is of came to, with its loss and, after [`StepGraph::with_marks`], its time in gradients: one copy
    /// from the device, after one wait. A method that counts its steps learns here that the latest one came to nothing.
    ///
    /// # Errors
    /// A device that fails.
    pub fn settle(&mut self, report: &DeviceReport) -> Result<Settled, CudaError> {
        if let Some(peers) = self.sharing.as_mut().and_then(Sharing::peers) {
            peers.wait()?;
        }
        let (loss, outcome) = step::gather(report, &self.g, &mut self.gathered)?;
        if core::mem::take(&mut self.counted) && !outcome.moved() {
            self.method.take_back();
        }
        let in_gradients = match &self.marks {
            // The device has come to the step's end.
            Some(marks) => marks.in_gradients()?,
            None => Duration::ZERO,
        };
        Ok(Settled { loss, outcome, in_gradients })
    }

    /// Why steps are launched although the method could be recorded, where a recording has failed.
    #[must_use]
    pub fn unrecorded(&self) -> Option<&str> {
        self.unrecorded.as_deref()
    }

    /// What the step that `report` is of came to; waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    pub fn outcome(&self, report: &DeviceReport) -> Result<Outcome, CudaError> {
        step::settled(report, &self.g)
    }

    /// The part of the latest step spent in gradients, zero without [`StepGraph::with_marks`]; waits for the device.
    ///
    /// # Errors
    /// A device that fails.
    pub fn in_gradients(&self) -> Result<Duration, CudaError> {
        let Some(marks) = &self.marks else { return Ok(Duration::ZERO) };
        self.w.device().synchronize()?;
        marks.in_gradients()
    }

    /// Kernels, copies and marks that a recorded step consists of, of all kinds together; `None` before one is recorded, and where
    /// steps are not.
    ///
    /// # Errors
    /// A device that fails.
    pub fn launches(&self) -> Result<Option<usize>, CudaError> {
        let graphs = self.kinds.iter().filter_map(|kind| match kind {
            Kind::Recorded(recorded) => Some(recorded.graph.len()),
            _ => None,
        });
        graphs.reduce(|a, b| Ok(a? + b?)).transpose()
    }

    /// The parameters.
    #[must_use]
    pub const fn params(&self) -> &DeviceVec<f32> {
        &self.w
    }

    /// The network.
    #[must_use]
    pub const fn network(&self) -> &CudaNetwork {
        &self.network
    }

    /// Everything, to change. What was recorded is forgotten; the next step but one is recorded anew.
    pub fn parts_mut(&mut self) -> (&mut S, &mut CudaNetwork, &mut DeviceVec<f32>) {
        self.kinds.clear();
        self.samples = 0;
        (&mut self.method, &mut self.network, &mut self.w)
    }

    /// Gives everything back; what was recorded is forgotten.
    #[must_use]
    pub fn into_parts(self) -> (S, CudaNetwork, DeviceVec<f32>) {
        (self.method, self.network, self.w)
    }

    /// What was recorded is of batches of so many samples, or is forgotten.
    fn expect(&mut self, samples: usize) {
        if self.samples != samples {
            self.kinds.clear();
            self.samples = samples;
        }
    }
}
