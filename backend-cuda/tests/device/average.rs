//! Averages of weights, and what batch normalisation needs to be evaluated with them.

use proptest::prelude::*;
use sam_backend_cuda::{CudaAverage, CudaError, CudaNetwork, DeviceVec, NetworkError};
use sam_core::{Average, average::Weighting};
use sam_model::{Architecture, Description, Op, Shape, Tensor};

use crate::{
    support::{bits, config, device},
    twins::Twins,
};

fn weighting() -> impl Strategy<Value = Weighting<f32>> {
    prop_oneof![Just(Weighting::Uniform), (0.0..1.0f32).prop_map(|decay| Weighting::Exponential { decay })]
}

fn steps() -> impl Strategy<Value = Vec<Vec<f32>>> {
    let vector = |n| proptest::collection::vec(-1e3..1e3f32, n);
    (1usize..600).prop_flat_map(move |n| proptest::collection::vec(vector(n), 1..8))
}

/// Also taken up from a checkpoint half-way, and without waiting for the device.
#[test]
fn averages_have_the_bits_of_the_host() {
    let Some(turn) = device("averages_have_the_bits_of_the_host") else { return };
    let device = &turn.device;
    proptest!(config(48), |(weighting in weighting(), steps in steps())| {
        let n = steps[0].len();
        let mut host = Average::uniform(vec![f32::NAN; n]);
        host.weighting = weighting;
        let mut found = CudaAverage::new(device, weighting, n).unwrap();
        let half = steps.len() / 2;
        for (i, w) in steps.iter().enumerate() {
            if i == half && i > 0 {
                let (count, mean) = (found.count(), found.mean().read().unwrap());
                found = CudaAverage::new(device, weighting, n).unwrap();
                found.restore(count, &mean).unwrap();
            }
            host.add(w).unwrap();
            let w = DeviceVec::from_slice(device, w).unwrap();
            let before = device.synchronisations();
            found.add(&w).unwrap();
            prop_assert_eq!(device.synchronisations(), before, "it waited for the device");
            prop_assert_eq!(bits(&found.mean().read().unwrap()), bits(host.mean()), "step {}", i);
        }
        prop_assert_eq!(found.count(), steps.len() as u64);
    });
}

#[test]
fn an_average_of_another_length_is_refused_and_stays() {
    let Some(turn) = device("an_average_of_another_length_is_refused_and_stays") else { return };
    let mut average = CudaAverage::new(&turn.device, Weighting::Uniform, 3).unwrap();
    average.add(&DeviceVec::from_slice(&turn.device, &[1.0, 2.0, 3.0]).unwrap()).unwrap();
    let error = average.add(&DeviceVec::from_slice(&turn.device, &[1.0; 2]).unwrap()).unwrap_err();
    assert_eq!(error, CudaError::Length { what: "weights to average", expected: 3, found: 2 });
    assert!(average.restore(7, &[0.0; 4]).is_err());
    assert_eq!((average.mean().read().unwrap(), average.count()), (vec![1.0, 2.0, 3.0], 1));
}

/// Normalisation before anything else: its statistics are those of the images.
fn normalised(image: Shape) -> Description {
    let layers = [("norm", Op::BATCH_NORM), ("flatten", Op::Flatten), ("head", Op::Dense { outputs: 3 })];
    Description::new(image, 3, |graph| graph.chain(Tensor::INPUT, layers)).unwrap()
}

/// Means and unbiased variances of a batch: by their definition, and layer by layer those of the CPU backend in f64. The
/// running statistics stay as they are.
#[test]
fn statistics_of_a_batch_are_measured() {
    let Some(turn) = device("statistics_of_a_batch_are_measured") else { return };
    let (image, samples) = (Shape::new(3, 4, 2), 5);
    let mut twins = Twins::new(&turn, &normalised(image), samples);
    let params = DeviceVec::from_slice(&turn.device, &twins.parameters()).unwrap();
    let found = twins.device.batch_statistics(&params).unwrap();
    for channel in 0..2 {
        let values: Vec<f64> = twins.images.iter().skip(channel).step_by(2).map(|x| f64::from(*x)).collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
        for (found, expected) in [(found[channel], mean), (found[2 + channel], variance)] {
            assert!((f64::from(found) - expected).abs() <= 1e-6, "{found}, expected {expected}");
        }
    }

    let network: Architecture = "resnet-8".parse().unwrap();
    let mut twins = Twins::new(&turn, &network.describe(image, 3).unwrap(), samples);
    let w = twins.parameters();
    let params = DeviceVec::from_slice(&turn.device, &w).unwrap();
    let before = twins.device.statistics().unwrap();
    for samples in [samples, 3] {
        twins.set_batch(samples);
        let found = twins.device.batch_statistics(&params).unwrap();
        let wide: Vec<f64> = w.iter().map(|w| f64::from(*w)).collect();
        let expected = twins.host.batch_statistics(&wide).unwrap();
        assert!(found.len() == expected.len() && found.len() > 10);
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let error = (f64::from(*found) - expected).abs();
            assert!(error <= 1e-4 * expected.abs().max(1.0), "{i}: {found}, expected {expected}");
        }
        assert_ne!(found, before);
        assert_eq!(bits(&twins.device.statistics().unwrap()), bits(&before));
    }

    let mut network = CudaNetwork::build(&turn.device, &normalised(image), 2).unwrap();
    let params = DeviceVec::from_slice(&turn.device, &network.initial_parameters(0)).unwrap();
    assert!(matches!(network.batch_statistics(&params), Err(NetworkError::NoBatch)));
}
