//! Every operation behind every other, and in every way that tensors can be shared, against networks by their definitions:
//! which layer writes what another reads where is decided by both, and none may forget it.

use super::{
    reference::Wiring,
    support::noise,
    wirings::{CLASSES, CLOSINGS, IMAGES, Link, OPS, PAIRS, chain, drawn, kinds, links, ones, sums},
};
use ndarray::{Array2, Array4};
use proptest::prelude::*;
use sam_backend_ndarray::{Activations, Network, NetworkError, Random};
use sam_core::{GradientOracle, Pass};
use sam_model::{
    Op, Padding, Shape, Tensor,
    random::{BackwardCoefficients, Key},
};
use std::collections::BTreeSet;

const SMOOTHING: f64 = 0.125;
const KEY: Key = Key([1, 2, 3]);
/// Normalisations enlarge what rounding leaves in a channel whose values are all the same, some hundred times each.
const TOLERANCE: f64 = 1e-7;

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

/// What a network of the backend does otherwise than by its definition: three gradients of the same batch, whose bits are
/// the same; running statistics; logits with those.
fn fault(wiring: &Wiring, samples: usize) -> Option<String> {
    let wiring = &wiring.clone().with_random(KEY, true);
    let image = wiring.image();
    let built = wiring.description().map_err(NetworkError::from);
    let built = built.and_then(|description| Network::<f64>::build(&description, samples, 1));
    let mut network = match built {
        Ok(network) => network,
        Err(error) => return Some(format!("{}: {error}", wiring.text())),
    };
    network.set_label_smoothing(SMOOTHING);
    network.set_random(Some(Random { key: KEY, first: 0, backward: BackwardCoefficients::Fresh }));
    let shape = (samples, image.height, image.width, image.channels);
    let images = Array4::from_shape_vec(shape, noise(1).take(samples * image.len()).collect()).unwrap();
    let pixels = images.as_slice().unwrap();
    let labels: Vec<u16> = (0..samples).map(|i| (i * 7 % CLASSES) as u16).collect();
    let w: Vec<f64> = noise(2).take(wiring.parameters()).map(|n| 0.8 * n + 0.05).collect();

    let (loss, gradient) = wiring.gradient(&w, pixels, &labels, SMOOTHING);
    let mut steps = Vec::new();
    let mut found = vec![f64::NAN; w.len()];
    let statistics = wiring.follow(&w, network.statistics(), pixels);
    network.set_batch(images.view(), &labels).unwrap();
    for pass in [Pass::Clean, Pass::Perturbed, Pass::Perturbed] {
        found.fill(f64::NAN);
        let found_loss = network.gradient(&w, &mut found, pass).unwrap();
        let error = difference(&found, &gradient, 1e-3).max(difference(&[found_loss], &[loss], 1.0));
        if error > TOLERANCE {
            let step = steps.len() + 1;
            return Some(format!(
                "{}: step {step}: loss {found_loss}, by definition {loss}; off by {error:e}",
                wiring.text()
            ));
        }
        let bits: Vec<u64> = found.iter().chain([&found_loss]).map(|x| x.to_bits()).collect();
        steps.push(bits);
    }
    if steps.iter().any(|step| *step != steps[0]) {
        return Some(format!("{}: other bits the second time", wiring.text()));
    }
    let error = difference(network.statistics(), &statistics, 1e-3);
    if error > TOLERANCE {
        return Some(format!("{}: running statistics are off by {error:e}", wiring.text()));
    }
    let again =
        Network::<f64>::build_with(&wiring.description().unwrap(), samples, 1, Activations::Recomputed);
    let mut again = again.unwrap();
    again.set_label_smoothing(SMOOTHING);
    again.set_random(Some(Random { key: KEY, first: 0, backward: BackwardCoefficients::Fresh }));
    again.set_batch(images.view(), &labels).unwrap();
    again.gradient(&w, &mut found, Pass::Clean).unwrap();
    if found.iter().map(|x| x.to_bits()).ne(steps[0][..w.len()].iter().copied())
        || again.statistics() != network.statistics()
    {
        return Some(format!("{}: other bits where activations are computed again", wiring.text()));
    }
    let logits = wiring.logits(&w, &statistics, pixels);
    let mut found = Array2::from_elem([samples, CLASSES], f64::NAN);
    network.logits(&w, images.view(), found.view_mut()).unwrap();
    let error = difference(found.as_slice().unwrap(), &logits, 1e-3);
    (error > TOLERANCE).then(|| format!("{}: logits are off by {error:e}", wiring.text()))
}

/// Asserts that none of the chains, on each of the images and closed in each way, is computed otherwise than by its
/// definition, and that there are at least so many.
#[track_caller]
fn assert_all_hold<L: AsRef<[Link]>>(
    images: &[Shape],
    chains: impl Iterator<Item = L> + Clone,
    least: usize,
) {
    let (mut seen, mut faults) = (0, Vec::new());
    for (&image, closing) in images.iter().flat_map(|image| CLOSINGS.map(|closing| (image, closing))) {
        for links in chains.clone() {
            if let Some(wiring) = chain(image, links.as_ref(), closing) {
                seen += 1;
                faults.extend(fault(&wiring, 3));
            }
        }
    }
    let shortest: Vec<_> = {
        faults.sort_by_key(String::len);
        faults.iter().take(8).collect()
    };
    assert!(faults.is_empty(), "{} of {seen} networks, such as {shortest:#?}", faults.len());
    assert!(seen >= least, "only {seen} networks");
}

/// The compiler asks for a new operation here, and the test for its place in [`OPS`].
#[test]
fn every_operation_takes_part() {
    let kind = |op: Op| match op {
        Op::Add => 0,
        Op::Classify { .. } => 1,
        Op::Flatten => 2,
        Op::Dense { .. } => 3,
        Op::Conv { .. } => 4,
        Op::BatchNorm(_) => 5,
        Op::Relu => 6,
        Op::MaxPool { .. } => 7,
        Op::AvgPool { .. } => 8,
        Op::GlobalAvgPool => 9,
        Op::Swish => 10,
        Op::Relu6 => 11,
        Op::Sigmoid => 12,
        Op::Subsample { .. } => 13,
        Op::PadChannels { .. } => 14,
        Op::Concat => 15,
        Op::Scale => 16,
        Op::Dropout { .. } => 17,
        Op::DropConnect { .. } => 18,
        Op::ShakeShake => 19,
        Op::ShakeDrop { .. } => 20,
    };
    let found: BTreeSet<u32> = OPS.into_iter().chain(PAIRS).map(kind).collect();
    assert_eq!(found, (2..=20).collect(), "sums and logits are in every network");
}

#[test]
fn every_operation_alone_and_every_sum() {
    assert_all_hold(&IMAGES, links().map(|link| [link]), 1600);
}

#[test]
fn every_pair_of_operations_and_sums() {
    let first = ones().chain([Link::Twice]).chain(OPS.map(Link::Before)).chain(OPS.map(Link::Behind));
    let pairs = first.clone().flat_map(|a| first.clone().map(move |b| [a, b]));
    assert_all_hold(&IMAGES, pairs, 6600);
}

#[test]
fn every_triple_of_operations() {
    let one = || kinds().map(Link::One).chain(PAIRS.map(Link::Join));
    let triples = one().flat_map(|a| one().flat_map(move |b| one().map(move |c| [a, b, c])));
    assert_all_hold(&[IMAGES[1], IMAGES[3]], triples, 18400);
}

/// A tensor with two readers, behind each operation and before each.
#[test]
fn every_pair_of_readers_behind_every_operation() {
    let behind = sums().flat_map(|sum| ones().map(move |one| [one, sum]));
    assert_all_hold(&IMAGES[2..], behind, 16300);
}

#[test]
fn every_pair_of_readers_before_every_operation() {
    let before = sums().flat_map(|sum| ones().map(move |one| [Link::One(OPS[2]), sum, one]));
    assert_all_hold(&IMAGES[2..], before, 13400);
}

/// Several tensors may have the same gradient in one buffer; whoever adds to it or gates it may not do so before all have
/// been read. The same of values that a flattened tensor shares.
#[test]
fn nothing_is_overwritten_too_early() {
    type Nodes<'a> = &'a [(Op, &'a [usize])];
    let (conv, wide) = (
        OPS[2],
        Op::Conv { channels: 6, kernel: 1, stride: 1, padding: Padding::Explicit(0), groups: 1, bias: false },
    );
    let (square, row) = (IMAGES[2], IMAGES[1]);
    let dense = Op::Dense { outputs: 6 };
    let wirings: [(Shape, Nodes<'_>); 6] = [
        // The second term is a ReLU, which stands behind the maker of the first.
        (square, &[(conv, &[0]), (conv, &[0]), (Op::Relu, &[2]), (Op::Add, &[1, 3])]),
        // Of a sum, the terms of a term: one of them has another reader, behind the maker of the other term.
        (
            square,
            &[
                (conv, &[0]),
                (conv, &[0]),
                (conv, &[2]),
                (conv, &[0]),
                (Op::Add, &[4, 2]),
                (Op::Add, &[1, 5]),
                (Op::Add, &[6, 3]),
            ],
        ),
        (
            square,
            &[
                (conv, &[0]),
                (conv, &[0]),
                (conv, &[2]),
                (conv, &[0]),
                (Op::Add, &[4, 2]),
                (Op::Add, &[5, 1]),
                (Op::Add, &[6, 3]),
            ],
        ),
        // The first term is a ReLU that its normalisation applies, which stands before another reader of the second.
        (
            square,
            &[
                (conv, &[0]),
                (Op::BATCH_NORM, &[0]),
                (conv, &[1]),
                (Op::Relu, &[2]),
                (Op::Add, &[4, 1]),
                (conv, &[3]),
                (Op::Add, &[5, 6]),
            ],
        ),
        // The first term is a flattened one, whose maker stands before another reader of the second.
        (
            row,
            &[
                (conv, &[0]),
                (Op::GlobalAvgPool, &[0]),
                (dense, &[2]),
                (wide, &[3]),
                (Op::Flatten, &[1]),
                (Op::Add, &[5, 3]),
                (Op::Add, &[6, 4]),
            ],
        ),
        // The mask of a ReLU, flattened, is the first term.
        (
            row,
            &[
                (conv, &[0]),
                (Op::Relu, &[1]),
                (Op::Flatten, &[2]),
                (Op::GlobalAvgPool, &[0]),
                (dense, &[4]),
                (Op::Add, &[3, 5]),
            ],
        ),
    ];
    for (image, nodes) in wirings {
        let mut wiring = Wiring::new(image);
        for (op, inputs) in nodes {
            let inputs: Vec<Tensor> = inputs.iter().map(|&input| Tensor(input)).collect();
            wiring.push(*op, &inputs).unwrap();
        }
        let pooled = wiring.push(Op::GlobalAvgPool, &[wiring.last()]).unwrap();
        wiring.push(Op::Classify { classes: CLASSES }, &[pooled]).unwrap();
        assert_eq!(fault(&wiring, 3), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Tensors with any number of readers near and far, behind a convolution so that all their gradients count.
    #[test]
    fn any_wiring(
        image in prop::sample::select(&IMAGES[..]),
        choices in prop::collection::vec((0usize..2 * OPS.len(), 0usize..6, 0usize..6), 1..12),
    ) {
        let first = if image.pixels() == 1 { 1 } else { 2 };
        let wiring = drawn(image, [(first, 0, 0)].into_iter().chain(choices));
        let fault = fault(&wiring, 3);
        prop_assert!(fault.is_none(), "{}", fault.unwrap_or_default());
    }
}

/// The definitions' gradients are their losses' slopes.
#[test]
fn definitions_agree_with_their_differences() {
    let normal = [Link::One(OPS[4]), Link::One(Op::BATCH_NORM), Link::One(Op::Relu)];
    for (image, closing) in IMAGES.into_iter().flat_map(|image| CLOSINGS.map(|closing| (image, closing))) {
        let chains = links().map(|link| vec![Link::One(OPS[2]), link]).chain([normal.to_vec()]);
        for wiring in chains.filter_map(|links| chain(image, &links, closing)) {
            let labels = [0, 2, 1];
            let images: Vec<f64> = noise(1).take(3 * image.len()).collect();
            let w: Vec<f64> = noise(2).take(wiring.parameters()).collect();
            let along: Vec<f64> = noise(3).take(w.len()).collect();
            let loss = |step: f64| {
                let w: Vec<f64> = w.iter().zip(&along).map(|(w, v)| w + step * v).collect();
                wiring.gradient(&w, &images, &labels, SMOOTHING).0
            };
            let slope = (loss(1e-6) - loss(-1e-6)) / 2e-6;
            let (_, gradient) = wiring.gradient(&w, &images, &labels, SMOOTHING);
            let expected: f64 = gradient.iter().zip(&along).map(|(g, v)| g * v).sum();
            assert!((slope - expected).abs() < 1e-6 * expected.abs().max(1.0), "{}", wiring.text());
        }
    }
}
