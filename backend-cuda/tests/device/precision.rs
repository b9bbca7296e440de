//! Whole networks on tensor cores.

use sam_backend_cuda::{CudaNetwork, CudaSgd, CudaSpace, DeviceVec, Precision, StepGraph};
use sam_core::{Rule, Sam};
use sam_model::Shape;

use crate::{support::device, twins::noise};

const STEPS: usize = 6;

/// Loss curve and weights of some recorded SAM steps.
fn run(device: &sam_backend_cuda::Device, model: &str, precision: Precision) -> (Vec<f64>, Vec<f32>) {
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
