//! A whole SAM step as one CUDA graph.

#![allow(unsafe_code, reason = "launches of a graph")]

use sam_core::{Descent, Sam, Step, StepError};

use crate::{
    CudaAdam, CudaError, CudaNetwork, CudaSgd, CudaSpace, DeviceLoss, DeviceNorm, DeviceVec, Gradient,
    NetworkError, graph::Graph,
};

/// A base optimizer whose rates can change between steps that are replayed.
pub trait DeviceDescent: Descent<DeviceVec<f32>, Gradient, Error = CudaError> {
    /// Brings changed rates to the device.
    ///
    /// # Errors
    /// A device that fails.
    fn prepare(&mut self) -> Result<(), CudaError>;

    /// Changes the learning rate of the steps to come.
    fn set_rate(&mut self, lr: f32);
}

macro_rules! device_descent {
    ($($name:ty)*) => { $(
        impl DeviceDescent for $name {
            fn prepare(&mut self) -> Result<(), CudaError> {
                Self::prepare(self)
            }

            fn set_rate(&mut self, lr: f32) {
                self.lr = lr;
            }
        }
    )* };
}

device_descent!(CudaSgd CudaAdam);

/// SAM steps on a network, recorded at the first and replayed from then on: both gradients, norm, ascent, check and
/// descent are one launch. For small networks, whose kernels take less time than their launches.
///
/// It owns all that the recording refers to. Batches have the number of samples of the first. Where the driver cannot
/// record, steps are launched one by one: see [`StepGraph::launches`].
pub struct StepGraph<D> {
    /// Dropped first: it refers to all the rest.
    recorded: Option<Recorded>,
    sam: Sam<CudaSpace, D>,
    network: CudaNetwork,
    w: DeviceVec<f32>,
    g: Gradient,
    samples: Option<usize>,
}

struct Recorded {
    graph: Graph,
    report: Step<DeviceLoss, DeviceNorm>,
}

/// What a step on the device returns.
pub type DeviceStepResult =
    Result<Step<DeviceLoss, DeviceNorm>, StepError<CudaError, NetworkError, CudaError>>;

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

impl<D: DeviceDescent> StepGraph<D> {
    /// Steps of `sam` on `network` from the parameters `w`.
    ///
    /// # Errors
    /// A device that fails.
    pub fn new(sam: Sam<CudaSpace, D>, network: CudaNetwork, w: DeviceVec<f32>) -> Result<Self, CudaError> {
        let g = Gradient::zeros(w.device(), w.len())?;
        Ok(Self { recorded: None, sam, network, w, g, samples: None })
    }

    /// The batch of the steps to come, as in [`CudaNetwork::set_batch`].
    ///
    /// # Errors
    /// As [`CudaNetwork::set_batch`], and if the number of samples is not that of the first batch.
    pub fn set_batch(&mut self, images: &[f32], labels: &[u16]) -> Result<(), NetworkError> {
        let samples = *self.samples.get_or_insert(labels.len());
        CudaError::check_length("labels of a batch that is replayed", samples, labels.len())?;
        self.network.set_batch(images, labels)
    }

    /// Changes the learning rate of the steps to come.
    pub fn set_rate(&mut self, lr: f32) {
        self.sam.base.set_rate(lr);
    }

    /// Changes the radius of the steps to come.
    pub fn set_radius(&mut self, rho: f32) {
        self.sam.rule.rho = rho;
    }

    /// One step. Waits for nothing.
    ///
    /// # Errors
    /// As [`Sam::step`].
    pub fn step(&mut self) -> DeviceStepResult {
        // What changes from step to step is not part of the recording.
        self.sam.space.prepare(&self.sam.rule).map_err(StepError::Space)?;
        self.sam.base.prepare().map_err(StepError::Descent)?;
        if let Some(recorded) = &mut self.recorded {
            // SAFETY: this owns everything that the step refers to, and nothing of it has been replaced.
            unsafe { recorded.graph.launch() }.map_err(StepError::Space)?;
            return Ok(recorded.report.clone());
        }
        let Self { sam, network, w, g, .. } = self;
        let device = w.device().clone();
        let recording = Graph::record(&device, || sam.step(w, g, network).map_err(RecordError::Step));
        match recording {
            Ok(Some((graph, report))) => {
                let recorded = self.recorded.insert(Recorded { graph, report });
                // SAFETY: as above.
                unsafe { recorded.graph.launch() }.map_err(StepError::Space)?;
                Ok(recorded.report.clone())
            }
            Ok(None) => self.sam.step(&mut self.w, &mut self.g, &mut self.network),
            Err(RecordError::Device(error)) => Err(StepError::Space(error)),
            Err(RecordError::Step(error)) => Err(error),
        }
    }

    /// Kernels and copies that a recorded step consists of; `None` before the first step, and where the driver cannot record.
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

    /// Gives everything back; what was recorded is forgotten.
    #[must_use]
    pub fn into_parts(self) -> (Sam<CudaSpace, D>, CudaNetwork, DeviceVec<f32>) {
        (self.sam, self.network, self.w)
    }
}
