//! Batches whose images are mixed in pairs.

use sam_backend_cuda::{CudaError, CudaNetwork, DeviceVec, Gradient, NetworkError};
use sam_core::{GradientOracle, Pass};
use sam_model::Shape;

use crate::{
    support::{bits, device},
    twins::noise,
};

const PARTNERS: [u32; 5] = [2, 1, 4, 0, 3];

/// Images have the host's bits; loss and gradient are the mixture of those against either label, which the CPU computes one after the
/// other.
#[test]
fn a_mixed_batch_has_a_share_of_both_labels() {
    let Some(turn) = device("a_mixed_batch_has_a_share_of_both_labels") else { return };
    let (device, image) = (&turn.device, Shape::new(3, 2, 2));
    let network = || CudaNetwork::new(device, &"mlp-7".parse().unwrap(), image, 4, 5).unwrap();
    let (mut plain, mut mixing) = (network(), network().with_mixing().unwrap());
    plain.set_label_smoothing(0.1);
    mixing.set_label_smoothing(0.1);
    let w = DeviceVec::from_slice(device, &plain.initial_parameters(4)).unwrap();
    let mut g = Gradient::zeros(device, w.len()).unwrap();
    let images: Vec<f32> = noise(6).take(5 * image.len()).collect();
    let labels = [0u16, 3, 1, 1, 2];
    let mut gradient = |network: &mut CudaNetwork| {
        let loss = network.gradient(&w, &mut g, Pass::Clean).unwrap().value().unwrap();
        (loss, g.values().read().unwrap())
    };

    // Not mixed, it is the network without.
    plain.set_batch(&images, &labels).unwrap();
    mixing.set_batch(&images, &labels).unwrap();
    let (loss, expected) = gradient(&mut plain);
    let (found_loss, found) = gradient(&mut mixing);
    assert_eq!((found_loss.to_bits(), bits(&found)), (loss.to_bits(), bits(&expected)));

    for share in [0.3f64, 0.0, 1.0] {
        mixing.set_batch(&images, &labels).unwrap();
        mixing.mix(&PARTNERS, share).unwrap();
        let (first, second) = (share as f32, (1.0 - share) as f32);
        let len = image.len();
        let mixed: Vec<f32> = (0..5 * len)
            .map(|i| first * images[i] + second * images[PARTNERS[i / len] as usize * len + i % len])
            .collect();
        assert_eq!(bits(&mixing.batch().unwrap().0), bits(&mixed), "{share}");
        let others = PARTNERS.map(|partner| labels[partner as usize]);
        let [own, other] = [&labels, &others].map(|labels| {
            plain.set_batch(&mixed, labels).unwrap();
            gradient(&mut plain)
        });
        let (loss, found) = gradient(&mut mixing);
        let expected = share * own.0 + (1.0 - share) * other.0;
        assert!((loss - expected).abs() <= 1e-6 * expected, "{share}: {loss}, expected {expected}");
        let largest = own.1.iter().fold(0.0f32, |most, g| most.max(g.abs()));
        for ((found, own), other) in found.iter().zip(&own.1).zip(&other.1) {
            let expected = first * own + second * other;
            assert!((found - expected).abs() <= 2e-6 * largest, "{share}: {found}, expected {expected}");
        }
    }
    // An evaluation knows one label.
    let [found, expected] =
        [&mut mixing, &mut plain].map(|network| network.evaluate(&w, &images, &labels).unwrap());
    assert_eq!((found.loss.to_bits(), found.correct), (expected.loss.to_bits(), expected.correct));
}

#[test]
fn what_cannot_be_mixed_is_refused() {
    let Some(turn) = device("what_cannot_be_mixed_is_refused") else { return };
    let (device, image) = (&turn.device, Shape::new(2, 2, 1));
    let network = || CudaNetwork::new(device, &"mlp-3".parse().unwrap(), image, 2, 3).unwrap();
    let (mut plain, mut mixing) = (network(), network().with_mixing().unwrap());
    assert!(matches!(mixing.mix(&[0, 1], 0.5), Err(NetworkError::NoBatch)));
    for network in [&mut plain, &mut mixing] {
        network.set_batch(&[0.5; 8], &[0, 1]).unwrap();
    }
    assert!(matches!(plain.mix(&[0, 1], 0.5), Err(NetworkError::NoBatch)));
    for (partners, what, expected, found) in
        [(&[0u32][..], "partners of mixed images", 2, 1), (&[0, 2], "partner of a mixed image", 2, 2)]
    {
        let error = mixing.mix(partners, 0.5).unwrap_err();
        let expected = CudaError::Length { what, expected, found };
        assert!(matches!(&error, NetworkError::Device(found) if *found == expected), "{error}");
    }
}
