//! Launches and bytes of a step, and the time to expect of them on a card; without one.
//!
//! `cargo run -p sam-backend-cuda --example step_traffic [MODEL] [BATCH] [EXTENT] [CHANNELS]`, by default `wrn-28-10 256 32 3`. The
//! interpreter of kernels is told to do nothing but to say what it is asked for, which works at any size; bytes are the sizes of
//! operands. With `run` behind the arguments kernels are run, and the bytes that they touch are compared with those sizes: for
//! `resnet-8 3 12 3 run` and the like.

#[path = "../common/mod.rs"]
mod common;

mod bytes;
mod fused;
mod log;
mod time;

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs,
    process::{Command, ExitCode},
};

use sam_backend_cuda::{
    CudaNetwork, CudaSgd, CudaSpace, Device, DeviceStep, DeviceVec, Precision, StepGraph,
};
use sam_core::{Plain, Rule, Sam};
use sam_model::{Architecture, ImageShape};

use bytes::{Cost, added_apart, cost, purpose};
use fused::{Costed, fused};
use log::{Launch, Line};
use time::{CARDS, Library};

const CLASSES: usize = 10;
const LOG: &str = "PTX_INTERPRETER_LOG";
/// Enough for any network here: nothing stands behind it.
const MEMORY: &str = "400000000000";

fn main() -> ExitCode {
    if env::var_os(LOG).is_some() {
        return common::main(run);
    }
    // The interpreter reads its environment once in the life of a process.
    again().unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn again() -> Result<ExitCode, Box<dyn Error>> {
    let driver = common::interpreter()
        .ok_or("expected the interpreter of kernels beside this program; build it with cargo")?;
    let log = env::temp_dir().join(format!("sam-step-traffic-{}", std::process::id()));
    let mut command = Command::new(env::current_exe()?);
    command.args(env::args_os().skip(1)).env("SAM_CUDA_DRIVER", driver).env(LOG, &log);
    if !is_run() {
        command.env("PTX_INTERPRETER_DRY", "1").env("PTX_INTERPRETER_MEMORY", MEMORY);
    }
    let status = command.status();
    let _ = fs::remove_file(&log);
    Ok(if status?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether kernels are run, and not only told.
fn is_run() -> bool {
    env::args().nth(5).is_some_and(|last| last == "run")
}

fn run(device: &Device, _: bool) -> Result<(), Box<dyn Error>> {
    let usual = ["wrn-28-10", "256", "32", "3"];
    let argument = |place: usize| env::args().nth(place + 1).unwrap_or_else(|| usual[place].to_owned());
    let model: Architecture = argument(0).parse()?;
    let (batch, extent, channels): (usize, usize, usize) =
        (argument(1).parse()?, argument(2).parse()?, argument(3).parse()?);
    let image = ImageShape::new(extent, extent, channels);
    println!("{model}, batch {batch}, images of {extent}x{extent}x{channels}");
    for precision in [Precision::Single, Precision::Tf32, Precision::Bf16] {
        for sam in [false, true] {
            let lines = step(device, &model, image, batch, (precision, sam))?;
            report(&lines, precision, sam)?;
        }
    }
    Ok(())
}

/// What the device is told in a step.
fn step(
    device: &Device,
    model: &Architecture,
    image: ImageShape,
    batch: usize,
    (precision, sam): (Precision, bool),
) -> Result<Vec<Line>, Box<dyn Error>> {
    let network = CudaNetwork::build_in(device, &model.describe(image, CLASSES)?, batch, precision)?;
    let n = network.parameter_count();
    let w = DeviceVec::from_slice(device, &network.initial_parameters(0))?;
    let base = CudaSgd::new(device, 0.1)?.with_momentum(0.9, n)?.with_nesterov();
    let space = CudaSpace::new(device, n)?;
    let method: Box<dyn DeviceStep> = match sam {
        true => Box::new(Sam::new(space, Rule::l2(0.05), base)),
        false => Box::new(Plain::new(space, base)),
    };
    let mut steps = StepGraph::new(method, network, w)?.without_recording();
    let images: Vec<f32> = (0..batch * image.len()).map(|i| (i * 7919 % 1013) as f32 / 506.5 - 1.0).collect();
    let labels: Vec<u16> = (0..batch).map(|i| (i % CLASSES) as u16).collect();
    steps.set_batch(&images, &labels)?;
    // The first one brings rates to the device too.
    let _ = steps.step()?;
    let path = env::var_os(LOG).unwrap_or_default();
    let before = fs::read_to_string(&path)?.lines().count();
    let report = steps.step()?;
    let _ = steps.settle(&report)?;
    let said = fs::read_to_string(&path)?;
    let lines = said
        .lines()
        .skip(before)
        .map(|line| Line::parse(line).ok_or_else(|| format!("not understood: {line}")));
    Ok(lines.collect::<Result<_, _>>()?)
}

/// Prints launches, bytes and times of a step; where kernels were run, says if they have touched something else.
fn report(lines: &[Line], precision: Precision, sam: bool) -> Result<(), Box<dyn Error>> {
    let (mut parts, mut launches) = (BTreeMap::<_, (u64, Cost)>::new(), Vec::new());
    let (mut copies, mut off) = (Vec::new(), Vec::new());
    for line in lines {
        match line {
            Line::Kernel(launch) => {
                let cost = cost(launch)
                    .ok_or_else(|| format!("the bytes of kernel {} are not known", launch.name))?;
                off.extend(difference(launch, &cost));
                let (count, sum) = parts.entry(purpose(&launch.name)).or_default();
                *count += 1;
                *sum += cost;
                launches.push((launch.clone(), cost));
            }
            Line::Copy(bytes) => {
                let cost = Cost { read: *bytes, written: *bytes, operations: 0 };
                let (count, sum) = parts.entry("other").or_default();
                *count += 1;
                *sum += cost;
                copies.push(cost);
            }
            Line::Bus => {}
        }
    }
    println!("\n{} in {precision}", if sam { "SAM" } else { "SGD" });
    println!("{:16} {:>8} {:>12} {:>12} {:>10}", "", "launches", "MB read", "MB written", "TFLOP");
    let (mut count, mut all) = (0, Cost::default());
    let row = |name: &str, count: u64, cost: &Cost| {
        let [read, written] = [cost.read, cost.written].map(|bytes| bytes as f64 / 1e6);
        println!("{name:16} {count:>8} {read:>12.3} {written:>12.3} {:>10.3}", cost.operations as f64 / 1e12);
    };
    for (name, (launches, cost)) in &parts {
        row(name, *launches, cost);
        count += launches;
        all += *cost;
    }
    row("all", count, &all);
    let left = if precision == Precision::Single { launches.clone() } else { fused(&launches) };
    let total = |launches: &[Costed]| {
        let mut sum = Cost::default();
        launches.iter().for_each(|(_, cost)| sum += *cost);
        sum
    };
    let (before, after) = (total(&launches), total(&left));
    let less =
        Cost { read: before.read - after.read, written: before.written - after.written, operations: 0 };
    row("less if fused", (launches.len() - left.len()) as u64, &less);
    for card in CARDS {
        let time = |launches: &[Costed], library: Library| {
            let times = launches.iter().map(|(launch, cost)| {
                let apart = added_apart(launch).filter(|_| library == Library::Vendor);
                let apart = apart.map_or(0.0, |cost| card.seconds("add", &cost, precision, Library::Own));
                card.seconds(&launch.name, cost, precision, library) + apart
            });
            let copies = copies.iter().map(|cost| card.seconds("copy", cost, precision, Library::Own));
            1e3 * (times.sum::<f64>() + copies.sum::<f64>())
        };
        let [native, vendor, fused] =
            [time(&launches, Library::Own), time(&launches, Library::Vendor), time(&left, Library::Vendor)];
        println!(
            "{}: {native:.1} ms expected with this crate's kernels, {vendor:.1} with libraries' products, {fused:.1} with sums and \
             additions in them",
            card.name
        );
    }
    if off.is_empty() { Ok(()) } else { Err(off.join("\n").into()) }
}

/// What a kernel that was run has touched beside what it should have: more than two in a hundred and half a kilobyte is said.
fn difference(launch: &Launch, cost: &Cost) -> Option<String> {
    let [read, written] = launch.counted?;
    let apart = |found: u64, expected: u64| found.abs_diff(expected) > 512 + expected / 50;
    // A gradient is read only where the ReLU let its value through.
    let read = if launch.name.starts_with("relu_backward") { read.max(cost.read) } else { read };
    (apart(read, cost.read) || apart(written, cost.written)).then(|| {
        let Cost { read: r, written: w, .. } = cost;
        format!("kernel {}: expected {r} bytes read and {w} written, found {read} and {written}", launch.name)
    })
}
