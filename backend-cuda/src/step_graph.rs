//! A whole step as one CUDA graph.

#![allow(unsafe_code, reason = "launches of a graph")]

use core::{ops::Range, time::Duration};

use sam_core::{Outcome, StepError};
use sam_model::{Evaluation, random::Random};

use crate::{
    Augmentation, CudaError, CudaNetwork, DeviceImages, DeviceVec, Gradient, NetworkError,
    graph::Graph,
    step::{self, DeviceOracle, DeviceReport, DeviceStep, DeviceStepResult},
    timing::{Marks, Timed},
};

/// Steps of a method on a network, recorded at the second and replayed from then on: gradients, norm, ascent, check and
/// descent are one launch. For small networks, whose kernels take less time than their launches. The first is launched kernel by
/// kernel, for libraries load what they need at its first use, which a recording does not survive.
///
/// It owns all that the recording refers to. Where the driver cannot record, or a recording fails
/// ([`StepGraph::unrecorded`]), or the method cannot be recorded ([`DeviceStep::is_recordable`]), steps are launched kernel by
/// kernel: see [`StepGraph::launches`]. The bits are the same.
pub struct StepGraph<S> {
    /// Dropped first: it refers to all the rest.
    recorded: Option<Recorded>,
    /// Whether steps are still to be recorded.
    recording: bool,
    /// Whether a step has been launched as it will be recorded.
    launched: bool,
    /// Why a recording failed.
    unrecorded: Option<String>,
    /// Where a step's numbers are put together for the host.
    gathered: DeviceVec<u32>,
    marks: Option<Marks>,
    method: S,
    network: CudaNetwork,
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

struct Recorded {
    graph: Graph,
    report: DeviceReport,
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
            recorded: None,
            recording,
            launched: false,
            unrecorded: None,
            gathered,
            marks: None,
            method,
            network,
            w,
            g,
            samples: 0,
        })
    }

    /// Launches steps kernel by kernel, as a driver that cannot record makes it do: to compare, and to find a fault.
    #[must_use]
    pub fn without_recording(self) -> Self {
        Self { recorded: None, recording: false, ..self }
    }

    /// Marks where gradients begin and end, for [`StepGraph::in_gradients`].
    ///
    /// # Errors
    /// A device that fails.
    pub fn with_marks(self) -> Result<Self, CudaError> {
        let marks = Some(Marks::new(self.w.device())?);
        Ok(Self { recorded: None, launched: false, marks, ..self })
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
        if let Some(recorded) = &mut self.recorded {
            // SAFETY: this owns everything that the step refers to, and nothing of it has been replaced: `parts_mut`
            // forgets the recording, and so does a batch of another size.
            unsafe { recorded.graph.launch() }.map_err(StepError::Space)?;
            return Ok(recorded.report.clone());
        }
        if !self.recording {
            return self.launch();
        }
        if !self.launched {
            let report = self.launch()?;
            self.launched = true;
            return Ok(report);
        }
        let device = self.w.device().clone();
        match Graph::record(&device, || self.launch().map_err(RecordError::Step)) {
            Ok(Some((graph, report))) => {
                let recorded = self.recorded.insert(Recorded { graph, report });
                // SAFETY: as above.
                unsafe { recorded.graph.launch() }.map_err(StepError::Space)?;
                Ok(recorded.report.clone())
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
        let Self { marks, method, network, w, g, .. } = self;
        match marks {
            Some(marks) => method.step(w, g, &mut Timed { network, marks } as &mut DeviceOracle<'_>),
            None => method.step(w, g, network as &mut DeviceOracle<'_>),
        }
    }

    /// What the step that `report` is of came to, with its loss and, after [`StepGraph::with_marks`], its time in gradients: one copy
    /// from the device, after one wait.
    ///
    /// # Errors
    /// A device that fails.
    pub fn settle(&mut self, report: &DeviceReport) -> Result<Settled, CudaError> {
        let (loss, outcome) = step::gather(report, &self.g, &mut self.gathered)?;
        let in_gradients = match &self.marks {
            // The device has come to the step's end.
            Some(marks) => marks.in_gradients(report)?,
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
    pub fn in_gradients(&self, report: &DeviceReport) -> Result<Duration, CudaError> {
        let Some(marks) = &self.marks else { return Ok(Duration::ZERO) };
        self.w.device().synchronize()?;
        marks.in_gradients(report)
    }

    /// Kernels, copies and marks that a recorded step consists of; `None` before the first step, and where steps are not
    /// recorded.
    ///
    /// # Errors
    /// A device that fails.
    pub fn launches(&self) -> Result<Option<usize>, CudaError> {
        self.recorded.as_ref().map(|recorded| recorded.graph.len()).transpose()
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
        self.recorded = None;
        self.launched = false;
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
            self.recorded = None;
            self.launched = false;
            self.samples = samples;
        }
    }
}
