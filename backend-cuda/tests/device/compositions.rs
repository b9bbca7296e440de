//! Every operation behind every other, and in the ways that tensors can be shared, against networks by their definitions.

use proptest::prelude::*;
use sam_backend_cuda::{CudaNetwork, DeviceVec, Gradient, NetworkError};
use sam_core::{GradientOracle, Pass};
use sam_model::{
    Shape,
    random::{BackwardCoefficients, Key, Random},
};

use crate::{
    reference::{Wiring, cross_entropy},
    support::{Turn, bits, config, device},
    twins::noise,
    wirings::{CLASSES, CLOSINGS, IMAGES, Link, OPS, PAIRS, chain, drawn, kinds, links},
};

const SAMPLES: usize = 3;
const SMOOTHING: f32 = 0.125;
const KEY: Key = Key([1, 2, 3]);
/// Few samples are now and then almost the same, and their normalised differences mostly rounding.
const TOLERANCE: f64 = 1e-3;

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|x| f64::from(*x)).collect()
}

/// Largest difference of two rows of numbers, relative to the largest of them or to `least`.
fn difference(found: &[f64], expected: &[f64], least: f64) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(least, |m, x| m.max(x.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs() / largest);
    // A NaN is as far away as can be.
    differences.fold(0.0, |m, d| {
        if d <= m {
            m
        } else if d.is_nan() {
            f64::INFINITY
        } else {
            d
        }
    })
}

/// What the device does otherwise than by the definition: two gradients, whose bits are the same; the running statistics
/// after the first; the loss with those.
fn fault(turn: &Turn, wiring: &Wiring) -> Option<String> {
    let wiring = &wiring.clone().with_random(KEY, true);
    let built = wiring.description().map_err(NetworkError::from);
    let built = built.and_then(|description| CudaNetwork::build(&turn.device, &description, SAMPLES));
    let mut network = match built {
        Ok(network) => network,
        Err(error) => return Some(format!("{}: {error}", wiring.text())),
    };
    network.set_label_smoothing(SMOOTHING);
    network.set_random(Some(Random { key: KEY, first: 0, backward: BackwardCoefficients::Fresh })).unwrap();
    let images: Vec<f32> = noise(1).take(SAMPLES * wiring.image().len()).collect();
    let labels: Vec<u16> = (0..SAMPLES).map(|i| (i * 7 % CLASSES) as u16).collect();
    let w: Vec<f32> = noise(2).take(wiring.parameters()).map(|n| 0.8 * n + 0.05).collect();
    let (wide_images, wide_w) = (wide(&images), wide(&w));
    let (loss, gradient) = wiring.gradient(&wide_w, &wide_images, &labels, SMOOTHING.into());
    let statistics = wiring.follow(&wide_w, &wide(&network.statistics().unwrap()), &wide_images);

    network.set_batch(&images, &labels).unwrap();
    let params = DeviceVec::from_slice(&turn.device, &w).unwrap();
    let mut grads = Gradient::zeros(&turn.device, w.len()).unwrap();
    let mut seen = Vec::new();
    for pass in [Pass::Clean, Pass::Perturbed] {
        grads.values_mut().write(&vec![f32::NAN; w.len()]).unwrap();
        let found_loss = network.gradient(&params, &mut grads, pass).unwrap().value().unwrap();
        let found = grads.values().read().unwrap();
        let error = difference(&wide(&found), &gradient, 1e-2).max(difference(&[found_loss], &[loss], 1.0));
        if error > TOLERANCE {
            return Some(format!("{}: {pass} pass: off by {error:e}", wiring.text()));
        }
        seen.push((found_loss.to_bits(), bits(&found)));
    }
    if seen[0] != seen[1] {
        return Some(format!("{}: other bits the second time", wiring.text()));
    }
    let found = wide(&network.statistics().unwrap());
    let error = difference(&found, &statistics, 1e-2);
    if error > TOLERANCE {
        return Some(format!("{}: running statistics are off by {error:e}", wiring.text()));
    }
    let (expected, _) = cross_entropy(&wiring.logits(&wide_w, &found, &wide_images), &labels, 0.0);
    let found = network.evaluate(&params, &images, &labels).unwrap().loss;
    let error = difference(&[found], &[expected], 1.0);
    (error > TOLERANCE)
        .then(|| format!("{}: loss {found} in evaluation, by definition {expected}", wiring.text()))
}

/// Asserts that none of the chains, on each of the images and closed in each way, is computed otherwise than by its
/// definition, and that there are at least so many.
#[track_caller]
fn assert_all_hold<L: AsRef<[Link]>>(
    turn: &Turn,
    images: &[Shape],
    chains: impl Iterator<Item = L> + Clone,
    least: usize,
) {
    let (mut seen, mut faults) = (0, Vec::new());
    for (&image, closing) in images.iter().flat_map(|image| CLOSINGS.map(|closing| (image, closing))) {
        for links in chains.clone() {
            if let Some(wiring) = chain(image, links.as_ref(), closing) {
                seen += 1;
                faults.extend(fault(turn, &wiring));
            }
        }
    }
    faults.sort_by_key(String::len);
    faults.truncate(8);
    assert!(faults.is_empty(), "such as {faults:#?}");
    assert!(seen >= least, "only {seen} networks");
}

#[test]
fn every_operation_alone_and_every_sum() {
    let Some(turn) = device("every_operation_alone_and_every_sum") else { return };
    assert_all_hold(&turn, &[IMAGES[1], IMAGES[3]], links().map(|link| [link]), 730);
}

#[test]
fn every_pair_of_kinds_of_operations() {
    let Some(turn) = device("every_pair_of_kinds_of_operations") else { return };
    let first = kinds().map(Link::One).chain(PAIRS.map(Link::Join)).chain([Link::Twice]);
    let pairs = first.clone().flat_map(|a| first.clone().map(move |b| [a, b]));
    assert_all_hold(&turn, &IMAGES, pairs, 1770);
}

/// Tensors with any number of readers near and far, behind a convolution so that all their gradients count.
#[test]
fn any_wiring() {
    let Some(turn) = device("any_wiring") else { return };
    let choices = prop::collection::vec((0usize..2 * OPS.len(), 0usize..6, 0usize..6), 1..12);
    proptest!(config(300), |(image in prop::sample::select(&IMAGES[..]), choices in choices)| {
        let first = if image.pixels() == 1 { 1 } else { 2 };
        let wiring = drawn(image, [(first, 0, 0)].into_iter().chain(choices));
        let fault = fault(&turn, &wiring);
        prop_assert!(fault.is_none(), "{}", fault.unwrap_or_default());
    });
}
