#![doc = include_str!("../README.md")]
// Elsewhere there is nothing here: NVIDIA's driver and `cust` are for this platform.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod descent;
mod device;
mod driver;
mod error;
mod gradient;
mod kernel;
mod kernels;
mod memory;
mod module;
mod signature;
mod space;
mod stream;

pub use descent::{CudaAdam, CudaSgd};
pub use device::Device;
pub use error::CudaError;
pub use gradient::Gradient;
pub use kernel::{Argument, Arguments, Grid, Kernel, Ptr, PtrMut};
pub use memory::{DeviceVec, Slice, SliceMut};
pub use module::Module;
pub use space::{CudaSpace, DeviceNorm};
