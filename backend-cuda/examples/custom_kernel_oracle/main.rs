//! A kernel of one's own behind `GradientOracle`: SAM descends Rosenbrock's function, whose gradient no network computes.
//!
//! `cargo run -p sam-backend-cuda --example custom_kernel_oracle [DIMENSIONS] [STEPS]`, by default `8 4000`; `8 1000` on the
//! interpreter of kernels, where there is no GPU.

#![allow(unsafe_code, reason = "launches a kernel")]

#[path = "../common/mod.rs"]
mod common;

use std::{env, error::Error, process::ExitCode};

use sam_backend_cuda::{
    CudaAdam, CudaError, CudaSpace, Device, DeviceVec, Gradient, Grid, Kernel, Module, Ptr, PtrMut,
};
use sam_core::{GradientOracle, Pass, Rule, Sam};

/// The function's gradient, computed by the kernel in `rosenbrock.cu`.
struct Rosenbrock {
    device: Device,
    gradient: Kernel<(Ptr<f32>, u32, PtrMut<f32>)>,
    /// What the kernel is part of.
    _module: Module,
}

impl Rosenbrock {
    fn new(device: &Device) -> Result<Self, CudaError> {
        let module = Module::new(device, "rosenbrock", include_str!("rosenbrock.ptx"))?;
        let gradient = module.kernel("rosenbrock_gradient")?;
        Ok(Self { device: device.clone(), gradient, _module: module })
    }
}

impl GradientOracle<DeviceVec<f32>, Gradient> for Rosenbrock {
    /// The value is not needed to descend.
    type Loss = ();
    type Error = CudaError;

    fn gradient(&mut self, w: &DeviceVec<f32>, g: &mut Gradient, _: Pass) -> Result<(), CudaError> {
        if w.len() != g.len() {
            return Err(CudaError::Length { what: "gradient", expected: w.len(), found: g.len() });
        }
        let n = w.len() as u32;
        let arguments = (w.view().ptr(), n, g.values_mut().view_mut().ptr());
        // SAFETY: both have n entries and are two buffers; the kernel reads w and writes g.
        unsafe { self.device.launch(&self.gradient, Grid::over(n), arguments) }
    }
}

fn main() -> ExitCode {
    common::main(run)
}

fn run(device: &Device, interpreted: bool) -> Result<(), Box<dyn Error>> {
    let dimensions: usize = env::args().nth(1).map_or(Ok(8), |n| n.parse())?;
    let steps: u32 = env::args().nth(2).map_or(Ok(if interpreted { 1000 } else { 4000 }), |n| n.parse())?;
    let mut oracle = Rosenbrock::new(device)?;
    let mut w = DeviceVec::from_slice(device, &vec![-0.5f32; dimensions])?;
    let mut g = Gradient::zeros(device, dimensions)?;
    let base = CudaAdam::new(device, 0.02, dimensions)?;
    let mut sam = Sam::new(CudaSpace::new(device, dimensions)?, Rule::l2(0.001), base);
    println!("at the start: {:.4e}", value(&w.read()?));
    for step in 1..=steps {
        let _ = sam.step(&mut w, &mut g, &mut oracle)?;
        if step % 1000 == 0 || step == steps {
            println!("step {step:>5}: {:.4e}", value(&w.read()?));
        }
    }
    println!("the minimum is at (1, 1, ...); found {:.3?}", w.read()?);
    Ok(())
}

fn value(w: &[f32]) -> f32 {
    w.windows(2).map(|w| 100.0 * (w[1] - w[0] * w[0]).powi(2) + (1.0 - w[0]).powi(2)).sum()
}
