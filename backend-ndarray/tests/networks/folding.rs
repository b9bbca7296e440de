//! Evaluation, in which batch normalisation is folded into the convolutions before it, against the loss that a gradient
//! with frozen statistics is of, where it is not.

use proptest::prelude::*;
use sam_backend_ndarray::Network;
use sam_core::{GradientOracle, Pass};
use sam_model::{Architecture, Description, DescriptionError, Graph, ImageShape, Op, Padding, Shape, Tensor};

use super::support::{images, noise};

const CLASSES: usize = 4;

/// Largest difference of the two losses over some labels, relative to the loss. Scales of both signs and zero, statistics
/// far from the batch's.
fn difference(
    image: ImageShape,
    samples: usize,
    seed: u64,
    describe: impl FnOnce(&mut Graph) -> Result<Tensor, DescriptionError>,
) -> f64 {
    described_difference(&Description::new(image, CLASSES, describe).unwrap(), samples, seed)
}

/// The same of a description with that many classes.
fn described_difference(description: &Description, samples: usize, seed: u64) -> f64 {
    let mut network = Network::<f64>::build(description, samples, 2).unwrap();
    let images = images(samples, description.image(), seed);
    let mut values = noise(seed.wrapping_add(1));
    let mut w = network.initial_parameters(seed);
    for tensor in network.tensors() {
        let scales = tensor.name.contains("norm");
        for (i, w) in w[tensor.range.clone()].iter_mut().enumerate() {
            let n = values.next().unwrap();
            *w = if scales { [n, 0.0, 1.0 + n][i % 3] } else { *w + 0.1 * n };
        }
    }
    let statistics: Vec<f64> = values.by_ref().take(network.statistics().len()).map(|n| 1.2 + n).collect();
    network.set_statistics(&statistics).unwrap();
    network.freeze_statistics(true);
    let mut g = vec![0.0; w.len()];
    let mut worst = 0.0f64;
    for shift in 0..CLASSES {
        let labels: Vec<u16> = (0..samples).map(|i| ((i * 3 + shift) % CLASSES) as u16).collect();
        network.set_batch(images.view(), &labels).unwrap();
        let loss = network.gradient(&w, &mut g, Pass::Clean).unwrap();
        let evaluated = network.evaluate(&w, images.view(), &labels).unwrap().loss;
        worst = worst.max((evaluated - loss).abs() / loss);
    }
    worst
}

#[test]
fn whole_networks() {
    for name in ["resnet-8", "wrn-10-1-projection", "wrn-10-2-projection", "wrn-16-2-projection"] {
        let image = ImageShape::new(9, 8, 2);
        let architecture: Architecture = name.parse().unwrap();
        let worst = described_difference(&architecture.describe(image, CLASSES).unwrap(), 5, 3);
        assert!(worst < 1e-12, "{name}: {worst}");
    }
}

/// A normalised convolution that another layer reads as well can't be folded.
#[test]
fn a_convolution_with_two_readers() {
    let worst = difference(Shape::new(5, 4, 2), 3, 5, |graph| {
        let conv = Op::Conv {
            channels: 3,
            kernel: 3,
            stride: 1,
            padding: Padding::Explicit(1),
            groups: 1,
            bias: false,
        };
        let x = graph.push("conv", conv, &[Tensor::INPUT])?;
        let y = graph.push("norm", Op::BATCH_NORM, &[x])?;
        let x = graph.push("add", Op::Add, &[x, y])?;
        let x = graph.push("pool", Op::GlobalAvgPool, &[x])?;
        graph.push("head", Op::Dense { outputs: CLASSES }, &[x])
    });
    assert!(worst < 1e-13, "{worst}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// By either method, with and without biases and ReLU, into an image with a halo.
    #[test]
    fn convolutions(
        (height, width, inputs, outputs) in (3usize..9, 3usize..9, 1usize..4, 1usize..20),
        (kernel, stride) in (1usize..4, 1usize..3),
        (eights, bias, relu) in (any::<bool>(), any::<bool>(), any::<bool>()),
        seed in any::<u64>(),
    ) {
        let lanes = if eights { 24 } else { 1 };
        let worst = difference(Shape::new(height, width, 2), 3, seed, |graph| {
            let conv = |channels, kernel, stride, bias| {
                let padding = Padding::Explicit(kernel / 2);
                Op::Conv { channels, kernel, stride, padding, groups: 1, bias }
            };
            let x = graph.push("first", conv(inputs * lanes, 3, 1, false), &[Tensor::INPUT])?;
            let x = graph.push("second", conv(outputs * lanes, kernel, stride, bias), &[x])?;
            let x = graph.push("norm", Op::BATCH_NORM, &[x])?;
            let x = if relu { graph.push("relu", Op::Relu, &[x])? } else { x };
            let x = graph.push("third", conv(2, 3, 1, true), &[x])?;
            let x = graph.push("pool", Op::GlobalAvgPool, &[x])?;
            graph.push("head", Op::Dense { outputs: CLASSES }, &[x])
        });
        prop_assert!(worst < 1e-11, "{}", worst);
    }
}
