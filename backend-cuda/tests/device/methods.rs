//! Methods that combine gradients without asking the host for a number, and m-sharpness.

use sam_backend_cuda::{
    CudaError, CudaFriendly, CudaGsam, CudaLookSam, CudaMSharpness, CudaNetwork, CudaPerturbedOnly, CudaSgd,
    CudaSpace, Device, DeviceBatch, DeviceStep, DeviceVec, Gradient, GradientBuffer, NetworkError, StepGraph,
};
use sam_core::{
    AlongGradient, Friendly, GradientOracle, Gsam, LookSam, Outcome, Pass, PerturbedOnly, Plain, Reuse, Rule,
    Sam, Variant, Wsam,
};
use sam_model::Shape;

use crate::{
    support::{bits, device},
    twins::{Twins, noise},
};

const N: usize = 300;
const STEPS: usize = 12;
/// The steps whose gradient is not finite.
const BAD: [usize; 2] = [4, 7];

fn base(device: &Device) -> CudaSgd {
    CudaSgd::new(device, 0.05).unwrap().with_momentum(0.9, N).unwrap()
}

fn space(device: &Device) -> CudaSpace {
    CudaSpace::new(device, N).unwrap()
}

fn buffer(device: &Device) -> GradientBuffer {
    GradientBuffer::zeros(device, N).unwrap()
}

/// The gradient of a bowl with a ripple, whose axes differ; spoilt in some steps.
fn slope(w: &DeviceVec<f32>, g: &mut Gradient, step: usize) -> Result<(), CudaError> {
    let w = w.read()?;
    let along = |(i, w): (usize, &f32)| (0.5 + (i % 7) as f32 / 4.0) * w + 0.3 * (3.0 * w).sin();
    let mut slope: Vec<f32> = w.iter().enumerate().map(along).collect();
    if BAD.contains(&step) {
        slope[17] = f32::NAN;
    }
    g.values_mut().write(&slope)
}

/// Weights after each of the steps; `step` makes one with the gradient's function that it is lent.
fn weights_of(
    device: &Device,
    mut step: impl FnMut(&mut DeviceVec<f32>, &mut Gradient, usize),
) -> Vec<Vec<u32>> {
    let start: Vec<f32> = noise(5).take(N).collect();
    let mut w = DeviceVec::from_slice(device, &start).unwrap();
    let mut g = Gradient::zeros(device, N).unwrap();
    (0..STEPS)
        .map(|number| {
            step(&mut w, &mut g, number);
            bits(&w.read().unwrap())
        })
        .collect()
}

/// `$method` asked for steps.
macro_rules! weights {
    ($device:ident, $method:expr) => {{
        let mut method = $method;
        weights_of($device, |w, g, number| {
            let _ = method.try_step_with(w, g, |w, g, _| slope(w, g, number)).unwrap();
        })
    }};
}

struct Slope(usize);

impl GradientOracle<DeviceVec<f32>, Gradient> for Slope {
    type Loss = ();
    type Error = CudaError;

    fn gradient(&mut self, w: &DeviceVec<f32>, g: &mut Gradient, _: Pass) -> Result<(), CudaError> {
        slope(w, g, self.0)
    }
}

/// sam-core's methods on a storage that says what it found are the reference: they read every number on the host, and change
/// nothing in a step that comes to nothing.
#[test]
fn methods_that_ask_for_no_number_have_the_bits_of_those_that_do() {
    let Some(turn) = device("methods_that_ask_for_no_number_have_the_bits_of_those_that_do") else { return };
    let (device, rule) = (&turn.device, Rule::l2(0.2));
    let waiting = || space(device).waiting();
    let (along, perturbed) = (AlongGradient, PerturbedOnly);

    let of = |gsam| weights!(device, Variant::new(waiting(), rule, along, gsam, base(device)));
    let found = |gsam| weights!(device, Variant::new(space(device), rule, along, gsam, base(device)));
    let expected = of(Gsam::new(0.4, buffer(device)));
    assert_eq!(found(CudaGsam::new(device, 0.4, N).unwrap()), expected, "GSAM");
    let around = of(Gsam::new(0.4, buffer(device)).around_clean());
    assert_ne!(around, expected);
    assert_eq!(found(CudaGsam::new(device, 0.4, N).unwrap().around_clean()), around, "GSAM around clean");
    let sam = weights!(device, Sam::new(space(device), rule, base(device)));
    assert_eq!(found(CudaGsam::new(device, 0.0, N).unwrap()), sam, "GSAM with alpha 0 is SAM");

    for (sigma, lambda) in [(0.9, 0.8), (0.0, 0.8), (1.0, 1.0)] {
        let ascent = Friendly::new(sigma, lambda, buffer(device), buffer(device));
        let expected = weights!(device, Variant::new(waiting(), rule, ascent, perturbed, base(device)));
        let ascent = CudaFriendly::new(device, sigma, lambda, N).unwrap();
        let found =
            weights!(device, Variant::new(space(device), rule, ascent, CudaPerturbedOnly, base(device)));
        assert_eq!(found, expected, "Friendly SAM, {sigma}, {lambda}");
        assert_eq!(found == sam, sigma == 0.0, "Friendly SAM with sigma 0 is SAM");
    }

    for k in [0, 1, 2, 3] {
        let reuse = Reuse::new(k, 0.7, buffer(device), buffer(device));
        let expected = weights!(device, LookSam::new(waiting(), rule, reuse, base(device)));
        let mut look = CudaLookSam::new(device, space(device), rule, (k, 0.7), base(device), N).unwrap();
        let found = weights_of(device, |w, g, number| {
            let step = look.step(w, g, &mut Slope(number)).unwrap();
            assert_eq!(step.outcome, Outcome::Deferred);
            if BAD.contains(&number) {
                look.take_back();
            }
        });
        assert_eq!(found, expected, "LookSAM, k = {k}");
        assert_eq!(found == sam, k < 2, "LookSAM with k = 1 is SAM");
    }
}

/// Also where the gradient at the perturbed weights is fine, and is all that is followed.
#[test]
fn a_clean_gradient_that_is_not_finite_ends_a_step() {
    let Some(turn) = device("a_clean_gradient_that_is_not_finite_ends_a_step") else { return };
    let device = &turn.device;
    let start: Vec<f32> = noise(5).take(N).collect();
    let mut w = DeviceVec::from_slice(device, &start).unwrap();
    let mut g = Gradient::zeros(device, N).unwrap();
    let friendly = CudaFriendly::new(device, 1.0, 0.9, N).unwrap();
    let mut sam = Variant::new(space(device), Rule::l2(0.2), friendly, CudaPerturbedOnly, base(device));
    for (bad, moves) in [(Some(Pass::Clean), false), (Some(Pass::Perturbed), false), (None, true)] {
        let step = sam.try_step_with(&mut w, &mut g, |w, g, pass| {
            slope(w, g, if bad == Some(pass) { BAD[0] } else { 0 })
        });
        assert_eq!(step.unwrap().outcome, Outcome::Deferred);
        assert_eq!(g.is_finite().unwrap(), moves, "{bad:?}");
        assert_eq!(w.read().unwrap() != start, moves, "{bad:?}");
    }
}

/// Of each sample random layers draw what they do in the whole batch, and normalisation is by the part.
#[test]
fn gradients_of_parts_are_the_hosts() {
    let Some(turn) = device("gradients_of_parts_are_the_hosts") else { return };
    for name in ["mlp-9-7", "resnet-8", "pyramidnet-11-6-shakedrop"] {
        let description = name.parse::<sam_model::Architecture>().unwrap().describe(Shape::new(6, 6, 2), 5);
        let mut twins = Twins::new(&turn, &description.unwrap(), 7);
        for (part, pass) in [(0..3, Pass::Clean), (3..6, Pass::Perturbed), (6..7, Pass::Perturbed)] {
            let (error, tensor) = twins.worst_of_part(&turn, part.clone(), pass);
            assert!(error < 3e-4, "{name}, {part:?}: the gradient of {tensor} is off by {error:e}");
        }
        let w = DeviceVec::from_slice(&turn.device, &twins.parameters()).unwrap();
        let mut g = Gradient::zeros(&turn.device, w.len()).unwrap();
        for part in [0..0, 5..8] {
            let error = twins.device.gradient_of(part, &w, &mut g, Pass::Clean).unwrap_err();
            assert!(matches!(error, NetworkError::Samples { most: Some(7), .. }), "{error}");
        }
    }
}

/// Groups of one size, and a smaller last one; the mean loss is the batch's.
#[test]
fn m_sharpness_is_the_mean_of_the_groups() {
    let Some(turn) = device("m_sharpness_is_the_mean_of_the_groups") else { return };
    let (device, image, rule) = (&turn.device, Shape::new(4, 4, 1), Rule::l2(0.1));
    let mut network = CudaNetwork::new(device, &"mlp-6".parse().unwrap(), image, 3, 7).unwrap();
    let (start, n) = (network.initial_parameters(2), network.parameter_count());
    let images: Vec<f32> = noise(3).take(7 * image.len()).collect();
    let labels = [0, 1, 2, 1, 0, 2, 2];
    let len = image.len();
    let mut expected = vec![0.0f64; n];
    for group in [0..3, 3..6, 6..7] {
        // A SAM step of the group by itself: its last gradient is the group's SAM gradient.
        let mut sam = Sam::new(CudaSpace::new(device, n).unwrap(), rule, CudaSgd::new(device, 0.0).unwrap());
        let (mut w, mut g) =
            (DeviceVec::from_slice(device, &start).unwrap(), Gradient::zeros(device, n).unwrap());
        network.set_batch(&images[group.start * len..group.end * len], &labels[group.clone()]).unwrap();
        let _ = sam.step(&mut w, &mut g, &mut network).unwrap();
        let share = group.len() as f64 / 7.0;
        expected.iter_mut().zip(g.values().read().unwrap()).for_each(|(sum, g)| *sum += share * f64::from(g));
    }
    network.set_batch(&images, &labels).unwrap();
    let (mut w, mut g) =
        (DeviceVec::from_slice(device, &start).unwrap(), Gradient::zeros(device, n).unwrap());
    let whole = network.gradient(&w, &mut g, Pass::Clean).unwrap().value().unwrap();
    let mut sharpness = CudaMSharpness::new(
        device,
        CudaSpace::new(device, n).unwrap(),
        rule,
        3,
        CudaSgd::new(device, 0.1).unwrap(),
        n,
    )
    .unwrap();
    let report = sharpness.step(&mut w, &mut g, &mut network).unwrap();
    let loss = report.clean.value().unwrap();
    assert!((loss - whole).abs() <= 1e-6 * whole, "{loss}, expected {whole}");
    let largest = expected.iter().fold(0.0f64, |most, g| most.max(g.abs()));
    for (found, expected) in g.values().read().unwrap().into_iter().zip(expected) {
        assert!((f64::from(found) - expected).abs() <= 1e-6 * largest, "{found}, expected {expected}");
    }
    assert_ne!(w.read().unwrap(), start);

    // A group that is not finite ends the step, and if it is the first of several too.
    let mut spoilt = images;
    spoilt[2] = f32::NAN;
    network.set_batch(&spoilt, &labels).unwrap();
    let before = w.read().unwrap();
    let _ = sharpness.step(&mut w, &mut g, &mut network).unwrap();
    assert!(!g.is_finite().unwrap());
    assert_eq!(w.read().unwrap(), before);
}

/// Every method: replayed steps have the bits of launched ones and wait for nothing.
#[test]
fn steps_of_every_method_are_recorded() {
    let Some(turn) = device("steps_of_every_method_are_recorded") else { return };
    let (device, image, rule) = (&turn.device, Shape::new(3, 3, 1), Rule::l2(0.1));
    let network = || CudaNetwork::new(device, &"mlp-6".parse().unwrap(), image, 3, 6).unwrap();
    let (start, n) = (network().initial_parameters(2), network().parameter_count());
    let space = || CudaSpace::new(device, n).unwrap();
    let base = || CudaSgd::new(device, 0.02).unwrap().with_momentum(0.9, n).unwrap();
    let zeros = || GradientBuffer::zeros(device, n).unwrap();
    type Make<'a> = &'a dyn Fn() -> Box<dyn DeviceStep>;
    let methods: [(&str, Make<'_>); 7] = [
        ("SGD", &|| Box::new(Plain::new(space(), base()))),
        ("SAM", &|| Box::new(Sam::new(space(), rule, base()))),
        ("GSAM", &|| {
            let gsam = CudaGsam::new(device, 0.3, n).unwrap();
            Box::new(Variant::new(space(), rule, AlongGradient, gsam, base()))
        }),
        ("WSAM", &|| Box::new(Variant::new(space(), rule, AlongGradient, Wsam::new(0.8, zeros()), base()))),
        ("Friendly SAM", &|| {
            let friendly = CudaFriendly::new(device, 1.0, 0.9, n).unwrap();
            Box::new(Variant::new(space(), rule, friendly, CudaPerturbedOnly, base()))
        }),
        ("LookSAM", &|| Box::new(CudaLookSam::new(device, space(), rule, (3, 0.7), base(), n).unwrap())),
        ("m-sharpness", &|| Box::new(CudaMSharpness::new(device, space(), rule, 4, base(), n).unwrap())),
    ];
    for (name, method) in methods {
        let steps = |marked: bool| {
            let w = DeviceVec::from_slice(device, &start).unwrap();
            let steps = StepGraph::new(method(), network(), w).unwrap();
            if marked { steps.with_marks().unwrap() } else { steps.without_recording() }
        };
        let [mut recorded, mut launched] = [true, false].map(steps);
        for step in 0..8 {
            let mut images: Vec<f32> = noise(step).take(6 * image.len()).collect();
            if step == 5 {
                images[7] = f32::INFINITY;
            }
            let settled = [&mut recorded, &mut launched].map(|steps| {
                steps.set_batch(&images, &[0, 1, 2, 0, 1, 2]).unwrap();
                steps.set_radius(0.1 + 0.01 * step as f32);
                let before = device.synchronisations();
                let report = steps.step().unwrap();
                assert_eq!(device.synchronisations(), before, "{name}: step {step} waited for the device");
                steps.settle(&report).unwrap()
            });
            assert_eq!(settled[0].loss.to_bits(), settled[1].loss.to_bits(), "{name}, step {step}");
            assert_eq!(settled[0].outcome, settled[1].outcome, "{name}, step {step}");
            assert_eq!(settled[0].outcome == Outcome::Descended, step != 5, "{name}, step {step}");
            assert!(settled[0].in_gradients.as_nanos() > 0, "{name}, step {step}");
            let weights = [&recorded, &launched].map(|steps| bits(&steps.params().read().unwrap()));
            assert_eq!(weights[0], weights[1], "{name}, step {step}");
        }
        assert_eq!((recorded.unrecorded(), launched.launches().unwrap()), (None, None), "{name}");
        assert!(recorded.launches().unwrap().is_some_and(|launches| launches > 10), "{name}");
    }
}
