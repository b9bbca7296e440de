#![doc = include_str!("../README.md")]
// Elsewhere there is nothing here: NVIDIA's driver and `cust` are for this platform.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod activations;
mod average;
mod card;
mod choice;
mod communicator;
mod descent;
mod device;
mod driver;
mod element;
mod error;
mod event;
mod geometry;
mod gradient;
mod graph;
mod kernel;
mod kernels;
mod layer;
mod loaded_module;
mod loss;
mod memory;
mod module;
mod network;
mod plan;
mod precision;
mod recording;
mod sharing;
mod signature;
mod space;
mod step;
mod step_graph;
mod stream;
#[cfg(test)]
mod testing;
mod timing;
mod vendor;

pub use average::CudaAverage;
pub use choice::{ChosenKernel, KernelChoice, Product};
pub use communicator::{Communicator, UniqueId};
pub use descent::{CudaAdam, CudaClipped, CudaSgd};
pub use device::Device;
pub use error::CudaError;
pub use event::Event;
pub use gradient::Gradient;
pub use kernel::{Argument, Arguments, Grid, Kernel, Ptr, PtrMut};
pub use loss::DeviceLoss;
pub use memory::{DeviceVec, Slice, SliceMut};
pub use module::Module;
pub use network::{Augmentation, CudaNetwork, DeviceBatch, DeviceImages, NetworkError, SharedBatch};
pub use precision::Precision;
pub use sharing::{Parts, Sharing};
pub use space::{CudaSegmentedSpace, CudaSpace, DeviceNorm, DeviceSpace};
pub use step::{
    CudaFriendly, CudaGsam, CudaLookSam, CudaMSharpness, CudaPerturbedOnly, DeviceDescent, DeviceOracle,
    DeviceReport, DeviceStep, DeviceStepResult, GradientBuffer,
};
pub use step_graph::{Settled, StepGraph};
