//! Whole networks on tensor cores.

use sam_backend_cuda::{
    CudaNetwork, CudaSgd, CudaSpace, Device, DeviceBatch, DeviceVec, Gradient, KernelChoice, Precision,
    StepGraph,
};
use sam_core::{GradientOracle, Pass, Rule, Sam};
use sam_model::{Architecture, Shape};

use crate::{
    support::{Turn, bits, device},
    twins::noise,
};

const STEPS: usize = 6;

/// Loss curve and weights of some recorded SAM steps.
fn run(device: &Device, model: &str, precision: Precision) -> (Vec<f64>, Vec<f32>) {
    let (image, classes, samples) = (Shape::new(8, 8, 1), 10, 4);
    let mut network = CudaNetwork::new(device, &model.parse().unwrap(), image, classes, samples).unwrap();
    network.set_precision(precision).unwrap();
    let start = network.initial_parameters(5);
    let n = start.len();
    let base = CudaSgd::new(device, 0.05).unwrap().with_momentum(0.9, n).unwrap();
    let sam = Sam::new(CudaSpace::new(device, n).unwrap(), Rule::l2(0.05), base);
    let w = DeviceVec::from_slice(device, &start).unwrap();
    let mut steps = StepGraph::new(sam, network, w).unwrap();
    let images: Vec<f32> = noise(7).take(samples * image.len()).collect();
    let labels: Vec<u16> = (0..samples).map(|i| (i * 3 % classes) as u16).collect();
    steps.set_batch(&images, &labels).unwrap();
    let losses = (0..STEPS).map(|_| steps.step().unwrap().clean.value().unwrap()).collect();
    (losses, steps.params().read().unwrap())
}

/// The loss falls as in single precision, at first by about the factors' rounding; two runs have the same bits.
#[test]
fn training_on_tensor_cores_is_training() {
    let Some(turn) = device("training_on_tensor_cores_is_training") else { return };
    let device = &turn.device;
    let model = "lenet";
    let (expected, exact) = run(device, model, Precision::Single);
    assert!(expected[STEPS - 1] < 0.9 * expected[0], "the test needs a loss that falls: {expected:?}");
    for (precision, at_first) in [(Precision::Tf32, 1e-3), (Precision::Bf16, 1e-2)] {
        let mut network =
            CudaNetwork::new(device, &"mlp-4".parse().unwrap(), Shape::new(2, 2, 1), 2, 1).unwrap();
        if let Err(error) = network.set_precision(precision) {
            println!("{model} in {precision}: skipped: {error}");
            continue;
        }
        let (found, weights) = run(device, model, precision);
        let off = |step: usize| (found[step] - expected[step]).abs() / expected[step];
        assert!(
            off(0) <= at_first && off(STEPS - 1) <= 0.2,
            "{model}, {precision}: {found:?}, expected {expected:?}"
        );
        assert_ne!(weights, exact, "{model}, {precision}: nothing was rounded");
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&run(device, model, precision).1), bits(&weights), "{model}, {precision}");
    }
}

/// How far a bf16 may be from what it was rounded from, in parts of it.
const UNIT: f64 = 1.0 / 256.0;
const SAMPLES: usize = 8;
const COLOURED: Shape = Shape::new(8, 8, 3);

/// A small network with everything that a large residual one has.
fn residual(turn: &Turn, precision: Precision) -> CudaNetwork {
    let model: Architecture = "wrn-10-1".parse().unwrap();
    let description = model.describe(COLOURED, 10).unwrap();
    let mut network = CudaNetwork::build_in(&turn.device, &description, SAMPLES, precision).unwrap();
    set_batch(&mut network);
    network
}

fn set_batch(network: &mut CudaNetwork) {
    let images: Vec<f32> = noise(7).take(SAMPLES * COLOURED.len()).collect();
    let labels: Vec<u16> = (0..SAMPLES).map(|i| (i * 3 % 10) as u16).collect();
    network.set_batch(&images, &labels).unwrap();
}

/// Weights that are off their start, so that those of the last layer, which begin at zero, count.
fn weights(network: &CudaNetwork) -> Vec<f32> {
    network.initial_parameters(5).iter().zip(noise(2)).map(|(w, n)| w + 0.05 * n).collect()
}

fn gradient(device: &Device, network: &mut CudaNetwork) -> (f64, Vec<f32>) {
    let w = DeviceVec::from_slice(device, &weights(network)).unwrap();
    let mut g = Gradient::zeros(device, w.len()).unwrap();
    let loss = network.gradient(&w, &mut g, Pass::Clean).unwrap().value().unwrap();
    (loss, g.values().read().unwrap())
}

/// Length of the difference of two vectors, in parts of that of the second.
fn apart(found: &[f32], expected: &[f32]) -> f64 {
    let length = |terms: &mut dyn Iterator<Item = f64>| terms.map(|x| x * x).sum::<f64>().sqrt();
    let (found, expected) = (found.iter().copied().map(f64::from), expected.iter().copied().map(f64::from));
    length(&mut found.zip(expected.clone()).map(|(a, b)| a - b)) / length(&mut expected.into_iter())
}

/// Whether the device has tensor cores; says so if not.
fn has_bf16(turn: &Turn) -> bool {
    let found = turn.device.check_precision(Precision::Bf16);
    found.inspect_err(|error| println!("skipped: {error}")).is_ok()
}

/// The loss is a mean, off by a roundoff or two. Of what a rectifier is given about a roundoff's share changes sides: those entries are
/// wrong altogether, and the length of all their errors goes like the root of the roundoff. That every operation by itself is rounded
/// once and not otherwise, unit tests of the crate see to.
#[test]
fn gradients_in_bf16_are_near_those_in_f32() {
    let Some(turn) = device("gradients_in_bf16_are_near_those_in_f32") else { return };
    if !has_bf16(&turn) {
        return;
    }
    let (mut single, mut short) = (residual(&turn, Precision::Single), residual(&turn, Precision::Bf16));
    let (expected_loss, expected) = gradient(&turn.device, &mut single);
    let (loss, found) = gradient(&turn.device, &mut short);
    let (loss_off, off) = ((loss - expected_loss).abs() / expected_loss, apart(&found, &expected));
    let statistics = short.statistics().unwrap();
    let followed = apart(&statistics, &single.statistics().unwrap());
    println!("loss {loss} instead of {expected_loss}, gradient off by {off:e}, statistics by {followed:e}");
    assert!(loss_off <= 2.0 * UNIT, "loss {loss}, in f32 {expected_loss}");
    assert!((UNIT / 16.0..=4.0 * UNIT.sqrt()).contains(&off), "the gradient is off by {off:e}");
    // Masters, gradients and statistics are not rounded.
    let exact = |values: &[f32]| values.iter().filter(|value| value.to_bits() & 0xffff != 0).count();
    assert!(2 * exact(&found) > found.len());
    assert!(2 * exact(&statistics) > statistics.len());
    assert!(followed <= 2.0 * UNIT, "statistics are off by {followed:e}");
    let half = short.buffer_bytes() as f64 / single.buffer_bytes() as f64;
    assert!((0.5..0.52).contains(&half), "{half} of the memory");
}

/// Whichever way a network has come to a precision, it has the bits of one that was built so; the batch stays.
#[test]
fn a_precision_can_be_set_at_any_time() {
    let Some(turn) = device("a_precision_can_be_set_at_any_time") else { return };
    if !has_bf16(&turn) {
        return;
    }
    let [single, short] = [Precision::Single, Precision::Bf16].map(|precision| {
        let mut network = residual(&turn, precision);
        let (loss, g) = gradient(&turn.device, &mut network);
        (loss.to_bits(), bits(&g), network.buffer_bytes())
    });
    assert_ne!(single.1, short.1);
    let mut network = residual(&turn, Precision::Single);
    for (precision, expected) in [
        (Precision::Bf16, &short),
        (Precision::Bf16, &short),
        (Precision::Single, &single),
        (Precision::Bf16, &short),
    ] {
        network.set_precision(precision).unwrap();
        network.set_kernels(KernelChoice::Native).unwrap();
        let (loss, g) = gradient(&turn.device, &mut network);
        assert_eq!((loss.to_bits(), bits(&g), network.buffer_bytes()), *expected, "{precision}");
    }
}

/// The gradient of some of a batch is that of a batch of those.
#[test]
fn parts_of_a_batch_in_bf16() {
    let Some(turn) = device("parts_of_a_batch_in_bf16") else { return };
    if !has_bf16(&turn) {
        return;
    }
    let mut network = residual(&turn, Precision::Bf16);
    let w = DeviceVec::from_slice(&turn.device, &weights(&network)).unwrap();
    let mut g = Gradient::zeros(&turn.device, w.len()).unwrap();
    network.gradient_of(3..7, &w, &mut g, Pass::Clean).unwrap();
    let part = g.values().read().unwrap();
    let images: Vec<f32> = noise(7).take(7 * COLOURED.len()).skip(3 * COLOURED.len()).collect();
    let labels: Vec<u16> = (3..7).map(|i| (i * 3 % 10) as u16).collect();
    network.set_batch(&images, &labels).unwrap();
    let (_, alone) = gradient(&turn.device, &mut network);
    assert_eq!(bits(&part), bits(&alone));
    assert_eq!(network.batch().unwrap().0, images, "images stay f32");
}

/// SAM on a residual network: ends near what it comes to in f32, and a recorded step has the bits of a launched one. What a
/// checkpoint has is f32.
#[test]
fn training_in_bf16_ends_near_training_in_f32() {
    const STEPS: usize = 8;
    let Some(turn) = device("training_in_bf16_ends_near_training_in_f32") else { return };
    if !has_bf16(&turn) {
        return;
    }
    let run = |precision: Precision, recorded: bool| {
        let network = residual(&turn, precision);
        let start = network.initial_parameters(5);
        let base = CudaSgd::new(&turn.device, 0.05).unwrap().with_momentum(0.9, start.len()).unwrap();
        let sam = Sam::new(CudaSpace::new(&turn.device, start.len()).unwrap(), Rule::l2(0.05), base);
        let w = DeviceVec::from_slice(&turn.device, &start).unwrap();
        let steps = StepGraph::new(sam, network, w).unwrap();
        let mut steps = if recorded { steps } else { steps.without_recording() };
        let losses: Vec<f64> = (0..STEPS).map(|_| steps.step().unwrap().clean.value().unwrap()).collect();
        assert_eq!(steps.launches().unwrap().is_some(), recorded);
        (losses, steps.params().read().unwrap())
    };
    let (expected, _) = run(Precision::Single, true);
    let (found, w) = run(Precision::Bf16, true);
    println!("{found:?}, in f32 {expected:?}");
    assert!(expected[STEPS - 1] < 0.7 * expected[0], "the test needs a loss that falls: {expected:?}");
    let off = (found[STEPS - 1] - expected[STEPS - 1]).abs();
    assert!(off <= 0.1 * expected[0], "{found:?}, in f32 {expected:?}");
    let (launched, again) = run(Precision::Bf16, false);
    assert_eq!(launched, found);
    assert_eq!(bits(&again), bits(&w));
    assert!(w.iter().any(|w| w.to_bits() & 0xffff != 0), "weights are bf16");
}
