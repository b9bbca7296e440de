//! A wide residual network on images of stripes, ten directions, trained with SAM; reports images a second.
//!
//! `cargo run -p sam-backend-cuda --example train_wrn [MODEL] [BATCH] [STEPS] [EXTENT]`, by default
//! `wrn-16-4 128 200 32`; `wrn-10-1 4 2 8` on the interpreter of kernels, where there is no GPU.

mod common;

use std::{env, error::Error, process::ExitCode, time::Instant};

use sam_backend_cuda::{CudaNetwork, CudaSgd, CudaSpace, Device, DeviceVec, Gradient};
use sam_core::{Rule, Sam, WeightDecay, schedule::Schedule};
use sam_model::{Architecture, ImageShape};

const CLASSES: usize = 10;

fn main() -> ExitCode {
    common::main(run)
}

fn run(device: &Device, interpreted: bool) -> Result<(), Box<dyn Error>> {
    let usual = if interpreted { ["wrn-10-1", "4", "2", "8"] } else { ["wrn-16-4", "128", "200", "32"] };
    let argument = |place: usize| env::args().nth(place + 1).unwrap_or_else(|| usual[place].to_owned());
    let model: Architecture = argument(0).parse()?;
    let (batch, steps, extent): (usize, u64, usize) =
        (argument(1).parse()?, argument(2).parse()?, argument(3).parse()?);

    let image = ImageShape::new(extent, extent, 3);
    let mut network = CudaNetwork::new(device, &model, image, CLASSES, batch)?;
    let n = network.parameter_count();
    println!("{model}: {n} parameters, {} MiB of activations", network.buffer_bytes() >> 20);

    let mut w = DeviceVec::from_slice(device, &network.initial_parameters(0))?;
    let mut g = Gradient::zeros(device, n)?;
    let schedule = Schedule::cosine(0.05f32).with_warmup(steps / 20);
    let base = CudaSgd::new(device, 0.0)?.with_momentum(0.9, n)?.with_nesterov();
    let base = base.with_decay(WeightDecay::Coupled(5e-4));
    let mut sam = Sam::new(CudaSpace::new(device, n)?, Rule::l2(0.05), base);

    let started = Instant::now();
    for step in 0..steps {
        let (images, labels) = stripes(step as usize * batch, batch, image);
        network.set_batch(&images, &labels)?;
        sam.base.lr = schedule.rate(step, steps);
        let report = sam.step(&mut w, &mut g, &mut network)?;
        if step % 20 == 0 {
            println!("step {step:>5}: loss {:.4}", report.clean.value()?);
        }
    }
    device.synchronize()?;
    let seconds = started.elapsed().as_secs_f64();
    let (images, labels) = stripes(steps as usize * batch, batch, image);
    let result = network.evaluate(&w, &images, &labels)?;
    println!("{:.0} images/s with SAM, making them included", (steps as usize * batch) as f64 / seconds);
    println!("{} of {} new images recognised, loss {:.4}", result.correct, result.count, result.loss);
    Ok(())
}

/// `count` images of stripes at one of ten angles, from the number `first` on.
fn stripes(first: usize, count: usize, image: ImageShape) -> (Vec<f32>, Vec<u16>) {
    let mut images = Vec::with_capacity(count * image.len());
    let mut labels = Vec::with_capacity(count);
    for i in first..first + count {
        let class = i * 7 % CLASSES;
        let angle = class as f32 * core::f32::consts::PI / CLASSES as f32;
        let phase = (i * 37 % 100) as f32 * 0.063;
        for place in 0..image.len() {
            let (pixel, channel) = (place / image.channels, place % image.channels);
            let (y, x) = ((pixel / image.width) as f32, (pixel % image.width) as f32);
            images.push((1.2 * (x * angle.cos() + y * angle.sin()) + phase + channel as f32).sin());
        }
        labels.push(class as u16);
    }
    (images, labels)
}
