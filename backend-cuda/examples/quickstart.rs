//! A small network on the device, trained with SAM to tell two interleaved spirals apart.
//!
//! `cargo run -p sam-backend-cuda --example quickstart [STEPS]`, by default 400; 100 on the interpreter of kernels, where there is no
//! GPU.

mod common;

use std::{env, error::Error, process::ExitCode};

use sam_backend_cuda::{CudaNetwork, CudaSgd, CudaSpace, Device, DeviceVec, Gradient};
use sam_core::{Rule, Sam};
use sam_model::{Architecture, ImageShape};

const POINTS: usize = 64;
const RHO: f32 = 0.05;

fn main() -> ExitCode {
    common::main(run)
}

fn run(device: &Device, interpreted: bool) -> Result<(), Box<dyn Error>> {
    let usual = if interpreted { 100 } else { 400 };
    let steps: usize = env::args().nth(1).map_or(Ok(usual), |steps| steps.parse())?;

    let model: Architecture = "mlp-32-32".parse()?;
    let mut network = CudaNetwork::new(device, &model, ImageShape::vector(2), 2, POINTS)?;
    let mut w = DeviceVec::from_slice(device, &network.initial_parameters(0))?;
    let mut g = Gradient::zeros(device, w.len())?;
    let base = CudaSgd::new(device, 0.05)?.with_momentum(0.9, w.len())?;
    let mut sam = Sam::new(CudaSpace::new(device, w.len())?, Rule::l2(RHO), base);

    let (points, labels) = spirals();
    network.set_batch(&points, &labels)?;
    for step in 0..steps {
        let report = sam.step(&mut w, &mut g, &mut network)?;
        // Only who reads a number waits for the device.
        if step % 100 == 0 {
            println!("step {step:>4}: loss {:.4}", report.clean.value()?);
        }
    }
    let result = network.evaluate(&w, &points, &labels)?;
    println!("{} of {} points in their spiral, loss {:.4}", result.correct, result.count, result.loss);
    Ok(())
}

/// Points of two spirals in turn, and whose each is.
fn spirals() -> (Vec<f32>, Vec<u16>) {
    let point = |i: usize| {
        let radius = (i / 2) as f32 / (POINTS / 2) as f32;
        let angle = 4.0 * radius + (i % 2) as f32 * core::f32::consts::PI;
        [2.0 * radius * angle.cos(), 2.0 * radius * angle.sin()]
    };
    ((0..POINTS).flat_map(point).collect(), (0..POINTS).map(|i| (i % 2) as u16).collect())
}
