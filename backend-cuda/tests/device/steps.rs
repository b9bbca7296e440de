//! Whole steps on the device: against the CPU backend, and without waiting.

use ndarray::Array4;
use sam_backend_cuda::{
    CudaAdam, CudaNetwork, CudaSegmentedSpace, CudaSgd, CudaSpace, DeviceStep, DeviceVec, Gradient,
    NetworkError, StepGraph,
};
use sam_backend_ndarray as cpu;
use sam_core::{Outcome, Rule, Sam, Scope, Sgd, SliceSpace, StepError, Values, ValuesMut, WeightDecay};
use sam_model::Shape;

use crate::{support::device, twins::noise};

const STEPS: usize = 20;
/// At 0.05 the loss does not fall steadily, and from the seventh step on the runs part: a kink turns rounding into 1e-3.
const RATE: f32 = 0.02;

/// The loss curves of a small LeNet over 20 SAM steps agree to 1e-4 relative.
#[test]
fn twenty_steps_are_the_hosts() {
    let Some(turn) = device("twenty_steps_are_the_hosts") else { return };
    let (image, classes, samples) = (Shape::new(8, 8, 1), 10, 8);
    let device = &turn.device;
    let model = "lenet".parse().unwrap();
    let mut network = CudaNetwork::new(device, &model, image, classes, samples).unwrap();
    let mut host = cpu::Network::<f32>::new(&model, image, classes, samples, 1).unwrap();
    let start = network.initial_parameters(5);
    assert_eq!(start, host.initial_parameters(5));
    let n = start.len();
    let decay = WeightDecay::Coupled(5e-4);

    let mut w = DeviceVec::from_slice(device, &start).unwrap();
    let mut g = Gradient::zeros(device, n).unwrap();
    let base = CudaSgd::new(device, RATE).unwrap().with_momentum(0.9, n).unwrap();
    let base = base.with_nesterov().with_decay(decay);
    let mut sam = Sam::new(CudaSpace::new(device, n).unwrap(), Rule::l2(0.05), base);

    let (mut host_w, mut host_g) = (start, vec![0.0; n]);
    let base = Sgd::new(RATE).with_momentum(0.9, vec![0.0; n]).with_nesterov().with_decay(decay);
    let mut host_sam = Sam::new(SliceSpace::new(vec![0.0; n]), Rule::l2(0.05), base);

    let mut curve = Vec::new();
    for step in 0..STEPS {
        let images: Vec<f32> = noise(step as u64 % 3).take(samples * image.len()).collect();
        let labels: Vec<u16> = (0..samples).map(|i| ((i * 3 + step % 3) % classes) as u16).collect();
        network.set_batch(&images, &labels).unwrap();
        let images = Array4::from_shape_vec((samples, 8, 8, 1), images).unwrap();
        host.set_batch(images.view(), &labels).unwrap();
        let found = sam.step(&mut w, &mut g, &mut network).unwrap();
        let expected = host_sam.step(&mut host_w[..], &mut host_g[..], &mut host).unwrap();
        for (found, expected) in [
            (found.clean.value().unwrap(), expected.clean),
            (found.perturbed.unwrap().value().unwrap(), expected.perturbed.unwrap()),
            (found.norm.value().unwrap(), expected.norm.value()),
        ] {
            assert!((found - expected).abs() <= 1e-4 * expected, "step {step}: {found}, expected {expected}");
        }
        curve.push(expected.clean);
    }
    assert!(curve[STEPS - 1] < 0.5 * curve[0], "the test needs a loss that falls: {curve:?}");
}

/// From the first gradient to the new weights nothing waits for the device.
#[test]
fn a_step_does_not_synchronise() {
    let Some(turn) = device("a_step_does_not_synchronise") else { return };
    let device = &turn.device;
    let Some(before) = device.synchronisations() else {
        println!("a_step_does_not_synchronise: skipped: this driver does not count synchronising calls");
        return;
    };
    let image = Shape::new(6, 6, 1);
    let mut network =
        CudaNetwork::new(device, &"wrn-10-1-projection".parse().unwrap(), image, 10, 4).unwrap();
    let start = network.initial_parameters(0);
    let n = start.len();
    let mut w = DeviceVec::from_slice(device, &start).unwrap();
    let mut g = Gradient::zeros(device, n).unwrap();
    let base = CudaSgd::new(device, 0.1).unwrap().with_momentum(0.9, n).unwrap();
    let mut sam = Sam::new(CudaSpace::new(device, n).unwrap(), Rule::l2(0.05), base);
    let images: Vec<f32> = noise(1).take(4 * image.len()).collect();
    network.set_batch(&images, &[0, 1, 2, 3]).unwrap();
    let ready = device.synchronisations().unwrap();
    assert!(ready > before, "the counter counts: copies of the set-up wait");
    for lr in [0.1, 0.05, 0.05] {
        sam.base.lr = lr;
        let step = sam.step(&mut w, &mut g, &mut network).unwrap();
        assert_eq!(device.synchronisations().unwrap(), ready, "the step waited for the device");
        drop(step);
    }
    assert_ne!(w.read().unwrap(), start);
    assert!(device.synchronisations().unwrap() > ready, "the counter counts: reading waits");
}

/// A replayed step has the bits of a launched one, follows changes of rate and radius, and waits for nothing.
#[test]
fn a_recorded_step_is_the_step() {
    let Some(turn) = device("a_recorded_step_is_the_step") else { return };
    let device = &turn.device;
    let image = Shape::new(5, 5, 1);
    let network = || CudaNetwork::new(device, &"resnet-8".parse().unwrap(), image, 10, 4).unwrap();
    let (mut launched, recorded) = (network(), network());
    let start = launched.initial_parameters(1);
    let n = start.len();
    let optimizer = || {
        let base = CudaAdam::adamw(device, 0.01, 1e-3, n).unwrap();
        Sam::new(CudaSpace::new(device, n).unwrap(), Rule::l2(0.05), base)
    };
    let params = || DeviceVec::from_slice(device, &start).unwrap();
    let (mut sam, mut w, mut g) = (optimizer(), params(), Gradient::zeros(device, n).unwrap());
    let mut graph = StepGraph::new(optimizer(), recorded, params()).unwrap();
    assert_eq!(graph.launches().unwrap(), None);
    assert!(matches!(graph.step(), Err(StepError::Oracle(NetworkError::NoBatch, _))));
    for (step, (lr, rho)) in [(0.01, 0.05), (0.02, 0.05), (0.02, 0.1)].into_iter().enumerate() {
        let images: Vec<f32> = noise(step as u64).take(4 * image.len()).collect();
        let labels = [step as u16, 1, 2, 3];
        launched.set_batch(&images, &labels).unwrap();
        (sam.base.lr, sam.rule.rho) = (lr, rho);
        let expected = sam.step(&mut w, &mut g, &mut launched).unwrap();

        graph.set_batch(&images, &labels).unwrap();
        graph.set_rate(lr);
        graph.set_radius(rho);
        let before = device.synchronisations();
        let found = graph.step().unwrap();
        assert_eq!(device.synchronisations(), before, "the step waited for the device");
        let before = device.synchronisations();
        let settled = graph.settle(&found).unwrap();
        assert_eq!(device.synchronisations().map(|n| n - 1), before, "one wait for all that is reported");
        assert_eq!(settled.loss.to_bits(), expected.clean.value().unwrap().to_bits());
        assert_eq!(
            (settled.outcome, graph.outcome(&found).unwrap()),
            (Outcome::Descended, Outcome::Descended)
        );
        for (found, expected) in [
            (found.clean.value().unwrap(), expected.clean.value().unwrap()),
            (found.perturbed.unwrap().value().unwrap(), expected.perturbed.unwrap().value().unwrap()),
            (found.norm.unwrap().value().unwrap(), expected.norm.value().unwrap()),
        ] {
            assert_eq!(found.to_bits(), expected.to_bits(), "step {step}");
        }
        let bits = |w: &DeviceVec<f32>| w.read().unwrap().iter().map(|w| w.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(graph.params()), bits(&w), "step {step}");
    }
    assert_eq!(graph.network().statistics().unwrap(), launched.statistics().unwrap());
    let launches = graph.launches().unwrap().expect("this driver records");
    assert!(launches > 50, "{launches} launches");
    // Another number of samples, and then everything may have changed: recorded anew.
    for samples in [3, 4] {
        let images: Vec<f32> = noise(9).take(samples * image.len()).collect();
        launched.set_batch(&images, &[3, 2, 1, 0][..samples]).unwrap();
        let _ = sam.step(&mut w, &mut g, &mut launched).unwrap();
        graph.set_batch(&images, &[3, 2, 1, 0][..samples]).unwrap();
        let report = graph.step().unwrap();
        assert_eq!(graph.outcome(&report).unwrap(), Outcome::Descended);
        assert_eq!(graph.params().read().unwrap(), w.read().unwrap(), "{samples} samples");
        graph.parts_mut().2.write(&start).unwrap();
        assert_eq!(graph.launches().unwrap(), None);
        w.write(&start).unwrap();
    }
    let (sam, ..) = graph.into_parts();
    assert_eq!(sam.base.steps().unwrap(), 5);
}

/// A method's state as it is saved: names with bits.
fn saved(method: &mut impl DeviceStep) -> Vec<(String, Vec<u64>)> {
    let mut pieces = Vec::new();
    let mut sink = |name: &str, values: Values<'_, f32>| {
        let bits = match values {
            Values::Reals(values) => values.iter().map(|value| u64::from(value.to_bits())).collect(),
            Values::Counts(counts) => counts.to_vec(),
        };
        pieces.push((name.to_owned(), bits));
    };
    method.save(&mut sink).unwrap();
    pieces
}

/// Recorded steps in segments, given up half-way and taken up from what was saved, are the steps launched in one go.
#[test]
fn segments_are_recorded_and_state_is_taken_up() {
    let Some(turn) = device("segments_are_recorded_and_state_is_taken_up") else { return };
    let device = &turn.device;
    let image = Shape::new(5, 5, 1);
    let network = || CudaNetwork::new(device, &"mlp-6".parse().unwrap(), image, 10, 4).unwrap();
    let start = network().initial_parameters(1);
    // Matrices are perturbed, biases are not.
    let table: Vec<_> = network()
        .tensors()
        .iter()
        .map(|tensor| match tensor.shape.len() {
            1 => sam_core::Segment::fixed(tensor.range.len()),
            _ => sam_core::Segment::new(tensor.range.len()),
        })
        .collect();
    let method = || {
        let base = CudaAdam::adamw(device, 0.01, 1e-3, start.len()).unwrap();
        let space = CudaSegmentedSpace::new(device, Scope::Segment, &table).unwrap();
        Sam::new(space, Rule::l2(0.05), base)
    };
    let images: Vec<f32> = noise(3).take(4 * image.len()).collect();
    let steps = |from: &[f32], method| {
        let w = DeviceVec::from_slice(device, from).unwrap();
        let mut steps = StepGraph::new(method, network(), w).unwrap();
        steps.set_batch(&images, &[0, 1, 2, 3]).unwrap();
        steps
    };
    let mut whole = steps(&start, method()).without_recording();
    for _ in 0..4 {
        let _ = whole.step().unwrap();
    }
    assert_eq!(whole.launches().unwrap(), None);

    let mut first = steps(&start, method());
    for _ in 0..2 {
        let _ = first.step().unwrap();
    }
    assert!(first.launches().unwrap().is_some_and(|launches| launches > 10));
    let (mut before, _, half_way) = first.into_parts();
    let pieces = saved(&mut before);
    assert_eq!(
        pieces.iter().map(|piece| piece.0.as_str()).collect::<Vec<_>>(),
        ["adam.steps", "adam.mean", "adam.square"]
    );
    let mut again = method();
    let mut source = |name: &str, values: ValuesMut<'_, f32>| {
        let (_, bits) = pieces.iter().find(|piece| piece.0 == name).unwrap();
        match values {
            ValuesMut::Reals(values) => {
                values.iter_mut().zip(bits).for_each(|(value, bits)| *value = f32::from_bits(*bits as u32));
            }
            ValuesMut::Counts(counts) => counts.copy_from_slice(bits),
        }
    };
    again.load(&mut source).unwrap();
    let mut second = steps(&half_way.read().unwrap(), again);
    for _ in 0..2 {
        let _ = second.step().unwrap();
    }
    let bits = |w: &DeviceVec<f32>| w.read().unwrap().iter().map(|w| w.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(second.params()), bits(whole.params()));
    assert_eq!(saved(second.parts_mut().0), saved(whole.parts_mut().0));
}
