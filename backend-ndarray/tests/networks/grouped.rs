//! Convolutions in groups against one of a single group whose filters are zero between groups.

use ndarray::Array2;
use sam_backend_ndarray::{Network, Scalar};
use sam_core::{GradientOracle, Pass};
use sam_model::{Description, ImageShape, Op, Padding, Tensor};

use super::support::{images, noise};

const CLASSES: usize = 4;
const IMAGE: ImageShape = ImageShape::new(6, 5, 3);

/// Channels before and behind, groups.
const CHANNELS: [[usize; 3]; 7] =
    [[8, 8, 2], [12, 24, 6], [16, 32, 16], [40, 20, 20], [64, 64, 16], [66, 33, 33], [48, 96, 3]];
/// Kernel and stride.
const FILTERS: [[usize; 2]; 5] = [[3, 1], [3, 2], [1, 1], [5, 2], [1, 2]];

/// A convolution of 1x1 before, whose gradient needs that of the input.
fn description([inputs, channels, groups]: [usize; 3], [kernel, stride]: [usize; 2]) -> Description {
    let conv = |channels, kernel, stride, groups| Op::Conv {
        channels,
        kernel,
        stride,
        padding: Padding::Explicit(kernel / 2),
        groups,
        bias: true,
    };
    Description::new(IMAGE, CLASSES, |graph| {
        graph.chain(
            Tensor::INPUT,
            [
                ("stem", conv(inputs, 1, 1, 1)),
                ("conv", conv(channels, kernel, stride, groups)),
                ("pool", Op::GlobalAvgPool),
                ("head", Op::Classify { classes: CLASSES }),
            ],
        )
    })
    .unwrap()
}

/// The logits, then the gradient.
fn results<T: Scalar>(description: &Description, params: &[f64], samples: usize, threads: usize) -> Vec<f64> {
    let mut network = Network::<T>::build(description, samples, threads).unwrap();
    let (images, params) = (images(samples, IMAGE, 3), params.iter().map(|&p| T::of(p)).collect::<Vec<_>>());
    let mut logits = Array2::from_elem((samples, CLASSES), T::zero());
    network.logits(&params, images.view(), logits.view_mut()).unwrap();
    let labels: Vec<u16> = (0..samples).map(|i| (i % CLASSES) as u16).collect();
    network.set_batch(images.view(), &labels).unwrap();
    let mut grads = vec![T::zero(); params.len()];
    network.gradient(&params, &mut grads, Pass::Perturbed).unwrap();
    logits.iter().chain(&grads).map(|value| value.value()).collect()
}

#[test]
fn groups_are_filters_with_zeros_between() {
    for (channels, filters) in CHANNELS.into_iter().flat_map(|c| FILTERS.map(|f| (c, f))) {
        let [inputs, outputs, groups] = channels;
        let [grouped, whole] = [groups, 1].map(|groups| description([inputs, outputs, groups], filters));
        let of = |description: &Description| description.parameters().of_node(1);
        let (own, all) = (of(&grouped), of(&whole));
        let params: Vec<f64> = noise(7).take(grouped.parameters().len()).collect();
        // Where each parameter of the one is in the other.
        let (a, b) = (inputs / groups, outputs / groups);
        let taps = filters[0] * filters[0];
        let mut places: Vec<usize> = (0..own.start).collect();
        for (tap, i, o) in
            (0..taps).flat_map(|t| (0..a).flat_map(move |i| (0..outputs).map(move |o| (t, i, o))))
        {
            places.push(all.start + (tap * inputs + o / b * a + i) * outputs + o);
        }
        places.extend(all.start + taps * inputs * outputs..whole.parameters().len());
        assert_eq!(places.len(), params.len());
        let mut spread = vec![0.0; whole.parameters().len()];
        places.iter().zip(&params).for_each(|(&place, &p)| spread[place] = p);
        for samples in [1, 11] {
            let expected = results::<f64>(&whole, &spread, samples, 1);
            let head = samples * CLASSES;
            let wanted: Vec<f64> =
                expected[..head].iter().copied().chain(places.iter().map(|&p| expected[head + p])).collect();
            let size = wanted.iter().map(|x| x.abs()).fold(0.0, f64::max);
            let check = |found: Vec<f64>, tolerance: f64| {
                assert_eq!(found.len(), wanted.len());
                for (i, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                    let off = (found - wanted).abs();
                    assert!(off <= tolerance * size, "{channels:?} {filters:?}, {i}: {found}, not {wanted}");
                }
            };
            check(results::<f64>(&grouped, &params, samples, 2), 1e-13);
            check(results::<f32>(&grouped, &params, samples, 1), 2e-5);
        }
    }
}
