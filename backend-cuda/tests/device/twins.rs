//! The same network on the device and, in f64, on the CPU backend: an independent implementation.

use core::ops::Range;

use ndarray::Array4;
use sam_backend_cuda::{CudaNetwork, DeviceBatch, DeviceVec, Gradient, NetworkError};
use sam_backend_ndarray as cpu;
use sam_core::{GradientOracle, Pass};
use sam_model::{
    Description, Shape,
    random::{BackwardCoefficients, Key, Random},
};

use crate::support::Turn;

/// A network on both.
pub struct Twins {
    description: Description,
    pub device: CudaNetwork,
    pub host: cpu::Network<f64>,
    pub images: Vec<f32>,
    pub labels: Vec<u16>,
    pub image: Shape,
}

/// What their random layers draw from.
const RANDOM: Random =
    Random { key: Key([3, 2 << 40, 1]), first: 5, backward: BackwardCoefficients::FreshWhenPerturbed };

/// Deterministic values in (-1, 1) with no structure that a wrong index could hide behind.
pub fn noise(seed: u64) -> impl Iterator<Item = f32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15);
    core::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    })
}

impl Twins {
    pub fn new(turn: &Turn, description: &Description, samples: usize) -> Self {
        let (image, classes) = (description.image(), description.classes());
        let mut device = CudaNetwork::build(&turn.device, description, samples).unwrap();
        let mut host = cpu::Network::<f64>::build(description, samples, 1).unwrap();
        device.set_label_smoothing(0.125);
        host.set_label_smoothing(0.125);
        device.set_random(Some(RANDOM)).unwrap();
        host.set_random(Some(RANDOM));
        let images: Vec<f32> = noise(1).take(samples * image.len()).collect();
        let labels: Vec<u16> = (0..samples).map(|i| (i * 7 % classes) as u16).collect();
        let description = description.clone();
        let mut twins = Self { description, device, host, images, labels, image };
        twins.set_batch(samples);
        twins
    }

    /// The same on images and weights that bfloat16 has exactly, and those weights.
    pub fn coarse(turn: &Turn, description: &Description, samples: usize) -> (Self, Vec<f32>) {
        let coarse = |value: &f32| (value * 16.0).round() / 16.0;
        let mut twins = Self::new(turn, description, samples);
        twins.images = twins.images.iter().map(coarse).collect();
        twins.set_batch(samples);
        let w = twins.parameters().iter().map(coarse).collect();
        (twins, w)
    }

    /// The first samples.
    pub fn set_batch(&mut self, samples: usize) {
        let values = &self.images[..samples * self.image.len()];
        self.device.set_batch(values, &self.labels[..samples]).unwrap();
        let wide = self.wide(samples);
        self.host.set_batch(wide.view(), &self.labels[..samples]).unwrap();
    }

    pub fn wide(&self, samples: usize) -> Array4<f64> {
        let Shape { height, width, channels } = self.image;
        let values = self.images[..samples * self.image.len()].iter().map(|x| f64::from(*x)).collect();
        Array4::from_shape_vec((samples, height, width, channels), values).unwrap()
    }

    /// Initial parameters with all of them off their start, so that scales, shifts and biases matter.
    pub fn parameters(&self) -> Vec<f32> {
        let start = self.device.initial_parameters(3);
        start.iter().zip(noise(2)).map(|(w, n)| w + 0.25 * n).collect()
    }

    /// Loss and gradient of both at `w`.
    pub fn gradients(&mut self, turn: &Turn, w: &[f32], pass: Pass) -> [(f64, Vec<f64>); 2] {
        let params = DeviceVec::from_slice(&turn.device, w).unwrap();
        let mut grads = Gradient::zeros(&turn.device, w.len()).unwrap();
        grads.values_mut().write(&vec![f32::NAN; w.len()]).unwrap();
        let loss = self.device.gradient(&params, &mut grads, pass).unwrap().value().unwrap();
        let found = grads.values().read().unwrap().into_iter().map(f64::from).collect();
        let w: Vec<f64> = w.iter().map(|w| f64::from(*w)).collect();
        let mut expected = vec![0.0; w.len()];
        let host_loss = self.host.gradient(&w, &mut expected, pass).unwrap();
        [(loss, found), (host_loss, expected)]
    }

    /// Largest difference between the gradients of any tensor, relative to the largest entry of that tensor.
    pub fn worst(&mut self, turn: &Turn, pass: Pass) -> (f64, String) {
        let w = self.parameters();
        let [(loss, found), (host_loss, expected)] = self.gradients(turn, &w, pass);
        assert!((loss - host_loss).abs() <= 1e-5 * host_loss.abs(), "loss {loss}, expected {host_loss}");
        self.difference(&found, &expected)
    }

    /// The same of the gradient of some of the samples, which the host computes alone.
    pub fn worst_of_part(&mut self, turn: &Turn, part: Range<usize>, pass: Pass) -> (f64, String) {
        let w = self.parameters();
        let params = DeviceVec::from_slice(&turn.device, &w).unwrap();
        let mut grads = Gradient::zeros(&turn.device, w.len()).unwrap();
        grads.values_mut().write(&vec![f32::NAN; w.len()]).unwrap();
        self.device.gradient_of(part.clone(), &params, &mut grads, pass).unwrap();
        let found: Vec<f64> = grads.values().read().unwrap().into_iter().map(f64::from).collect();
        let images = self.wide(self.labels.len());
        let own = images.slice(ndarray::s![part.clone(), .., .., ..]);
        self.host.set_batch(own, &self.labels[part.clone()]).unwrap();
        self.host.set_random(Some(Random { first: RANDOM.first + part.start, ..RANDOM }));
        let wide: Vec<f64> = w.iter().map(|w| f64::from(*w)).collect();
        let mut expected = vec![0.0; w.len()];
        self.host.gradient(&wide, &mut expected, pass).unwrap();
        self.difference(&found, &expected)
    }

    /// The same of the host's gradient in single precision, in the clean pass.
    pub fn host_rounding(&mut self) -> f64 {
        let (samples, w) = (self.labels.len(), self.parameters());
        let mut single = cpu::Network::<f32>::build(&self.description, samples, 1).unwrap();
        single.set_label_smoothing(0.125);
        single.set_random(Some(RANDOM));
        single.set_batch(self.wide(samples).mapv(|x| x as f32).view(), &self.labels).unwrap();
        let (mut found, mut expected) = (vec![0.0; w.len()], vec![0.0; w.len()]);
        single.gradient(&w, &mut found, Pass::Clean).unwrap();
        let wide = |values: &[f32]| values.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
        self.host.gradient(&wide(&w), &mut expected, Pass::Perturbed).unwrap();
        self.difference(&wide(&found), &expected).0
    }

    fn difference(&self, found: &[f64], expected: &[f64]) -> (f64, String) {
        // A bias before a normalisation has no gradient at all: what is found there is rounding.
        let least = 1e-2 * expected.iter().fold(0.0f64, |m, g| m.max(g.abs()));
        let mut worst = (0.0, String::new());
        for tensor in self.host.tensors() {
            let part = |values: &[f64]| values[tensor.range.clone()].to_vec();
            let largest = part(expected).iter().fold(0.0f64, |m, g| m.max(g.abs()));
            for (found, expected) in part(found).iter().zip(part(expected)) {
                let error = (found - expected).abs() / largest.max(least);
                if error.is_nan() || error > worst.0 {
                    worst = (error, tensor.name.clone());
                }
            }
        }
        worst
    }
}

/// Builds twins and asserts that their gradients agree.
#[track_caller]
pub fn assert_twins_agree(turn: &Turn, description: &Description, samples: usize, tolerance: f64) {
    let mut twins = Twins::new(turn, description, samples);
    let (error, tensor) = twins.worst(turn, Pass::Clean);
    assert!(
        error <= tolerance,
        "{}, {samples} samples: the gradient of {tensor} is off by {error:e}",
        description.image()
    );
}

/// What a description that refuses says, on the device.
pub fn refusal(result: Result<CudaNetwork, NetworkError>) -> String {
    match result {
        Ok(_) => "it was built".to_owned(),
        Err(error) => error.to_string(),
    }
}
