//! SAM steps launched kernel by kernel, and the same recorded once and replayed as a CUDA graph.
//!
//! `cargo run -p sam-backend-cuda --example sam_step_graph [MODEL] [BATCH] [STEPS] [EXTENT]`, by default `resnet-8 16 200 16`;
//! `resnet-8 2 2 6` on the interpreter of kernels, where there is no GPU, and where times mean nothing.

mod common;

use std::{env, error::Error, process::ExitCode, time::Instant};

use sam_backend_cuda::{CudaNetwork, CudaSgd, CudaSpace, Device, DeviceVec, Gradient, StepGraph};
use sam_core::{Rule, Sam};
use sam_model::{Architecture, ImageShape};

const CLASSES: usize = 10;

fn main() -> ExitCode {
    common::main(run)
}

fn run(device: &Device, interpreted: bool) -> Result<(), Box<dyn Error>> {
    let usual = if interpreted { ["resnet-8", "2", "2", "6"] } else { ["resnet-8", "16", "200", "16"] };
    let argument = |place: usize| env::args().nth(place + 1).unwrap_or_else(|| usual[place].to_owned());
    let model: Architecture = argument(0).parse()?;
    let (batch, steps, extent): (usize, u32, usize) =
        (argument(1).parse()?, argument(2).parse()?, argument(3).parse()?);

    let image = ImageShape::new(extent, extent, 1);
    let images: Vec<f32> =
        (0..batch * image.len()).map(|i| ((i * 7919 % 1013) as f32 / 506.5) - 1.0).collect();
    let labels: Vec<u16> = (0..batch).map(|i| (i % CLASSES) as u16).collect();

    let mut network = CudaNetwork::new(device, &model, image, CLASSES, batch)?;
    let start = network.initial_parameters(0);
    let n = start.len();
    let optimizer = || -> Result<_, Box<dyn Error>> {
        let base = CudaSgd::new(device, 0.01)?.with_momentum(0.9, n)?;
        Ok(Sam::new(CudaSpace::new(device, n)?, Rule::l2(0.05), base))
    };

    network.set_batch(&images, &labels)?;
    let (mut sam, mut w) = (optimizer()?, DeviceVec::from_slice(device, &start)?);
    let mut g = Gradient::zeros(device, n)?;
    let mut last = None;
    let launched = time(device, steps, || {
        last = Some(sam.step(&mut w, &mut g, &mut network)?);
        Ok(())
    })?;

    let recorded = CudaNetwork::new(device, &model, image, CLASSES, batch)?;
    let mut graph = StepGraph::new(optimizer()?, recorded, DeviceVec::from_slice(device, &start)?)?;
    graph.set_batch(&images, &labels)?;
    let mut replayed_last = None;
    let replayed = time(device, steps, || {
        replayed_last = Some(graph.step()?);
        Ok(())
    })?;

    println!("{model}, batch {batch}: {launched:.3} ms a step, kernel by kernel");
    match graph.launches()? {
        Some(launches) => {
            println!("{model}, batch {batch}: {replayed:.3} ms a step, {launches} launches as one");
        }
        None => {
            let why = graph.unrecorded().unwrap_or("nobody knows why");
            println!("not recorded ({why}): {replayed:.3} ms a step, kernel by kernel");
        }
    }
    if let (Some(launched), Some(replayed)) = (last, replayed_last) {
        println!("losses at the end: {} and {}", launched.clean.value()?, replayed.clean.value()?);
    }
    let same = w.read()? == graph.params().read()?;
    println!("{}", if same { "the weights are the same, bit for bit" } else { "the weights differ" });
    if same { Ok(()) } else { Err("a replayed step is not the step".into()) }
}

/// Milliseconds of a step, the first two left out: the second one is recorded.
fn time(
    device: &Device,
    steps: u32,
    mut step: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    step()?;
    step()?;
    device.synchronize()?;
    let started = Instant::now();
    for _ in 0..steps {
        step()?;
    }
    device.synchronize()?;
    Ok(1e3 * started.elapsed().as_secs_f64() / f64::from(steps.max(1)))
}
