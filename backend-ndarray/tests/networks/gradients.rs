//! Every layer's gradient against central differences of the loss, in f64.

use proptest::prelude::*;
use sam_backend_ndarray::Network;
use sam_core::{GradientOracle, Pass};
use sam_model::{DescriptionError, Graph, ImageShape, Op, Padding, Shape, Tensor};

use super::support::{CLASSES, images, network, noise, push};

/// Largest difference between gradient and central differences, relative to the gradient's largest entry.
fn gradient_error(
    image: ImageShape,
    samples: usize,
    describe: impl Fn(&mut Graph) -> Result<Tensor, DescriptionError>,
) -> f64 {
    prepared_gradient_error(image, samples, describe, |_| ())
}

/// The same of a network that `prepare` has changed.
fn prepared_gradient_error(
    image: ImageShape,
    samples: usize,
    describe: impl Fn(&mut Graph) -> Result<Tensor, DescriptionError>,
    prepare: impl FnOnce(&mut Network<f64>),
) -> f64 {
    let mut network = network::<f64>(image, samples, describe);
    prepare(&mut network);
    // Everything off its starting value, so that scales, shifts and biases matter.
    let mut w: Vec<f64> =
        network.initial_parameters(3).iter().zip(noise(2)).map(|(w, n)| w + 0.3 * n).collect();
    let mut g = vec![f64::NAN; w.len()];
    network.gradient(&w, &mut g, Pass::Clean).unwrap();
    let largest = g.iter().fold(0.0f64, |m, g| m.max(g.abs()));
    assert!(largest > 1e-3, "the test needs a gradient, found {largest}");
    let mut scratch = vec![0.0; w.len()];
    let mut worst = 0.0f64;
    // Every parameter of a small network, a share of each tensor's otherwise: a prime step meets them all.
    for i in (0..w.len()).step_by(if w.len() > 600 { 97 } else { 1 }) {
        let (step, at) = (1e-5, w[i]);
        let mut loss = |value| {
            w[i] = value;
            network.gradient(&w, &mut scratch, Pass::Perturbed).unwrap()
        };
        let difference = (loss(at + step) - loss(at - step)) / (2.0 * step);
        w[i] = at;
        worst = worst.max((difference - g[i]).abs() / largest);
    }
    worst
}

/// Flattens and classifies.
fn head(graph: &mut Graph, x: Tensor) -> Result<Tensor, DescriptionError> {
    let x = push(graph, "flatten", Op::Flatten, &[x])?;
    push(graph, "head", Op::Dense { outputs: CLASSES }, &[x])
}

const fn conv(channels: usize, kernel: usize, stride: usize, padding: usize, bias: bool) -> Op {
    Op::Conv { channels, kernel, stride, padding: Padding::Explicit(padding), groups: 1, bias }
}

const TOLERANCE: f64 = 1e-7;

#[test]
fn dense_layers() {
    let error = gradient_error(Shape::new(3, 5, 2), 5, |g| {
        let x = push(g, "flatten", Op::Flatten, &[Tensor::INPUT])?;
        let x = push(g, "a", Op::Dense { outputs: 19 }, &[x])?;
        let x = push(g, "relu", Op::Relu, &[x])?;
        push(g, "head", Op::Dense { outputs: CLASSES }, &[x])
    });
    assert!(error < TOLERANCE, "{error}");
}

#[test]
fn a_dense_layer_deeper_than_a_block_of_the_kernel() {
    let error = gradient_error(Shape::vector(600), 2, |g| {
        push(g, "head", Op::Dense { outputs: CLASSES }, &[Tensor::INPUT])
    });
    assert!(error < TOLERANCE, "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two convolutions, so that the second's input gradient counts, of every shape that the forward pass takes.
    #[test]
    fn convolutions(
        (height, width, channels) in (3usize..8, 3usize..8, 1usize..4),
        (kernel, stride, padding) in (1usize..4, 1usize..4, 0usize..3),
        (outputs, bias, samples) in (1usize..20, any::<bool>(), 1usize..4),
    ) {
        prop_assume!(padding < kernel);
        let error = gradient_error(Shape::new(height, width, channels), samples, |g| {
            let x = push(g, "first", conv(3, 3, 1, 1, false), &[Tensor::INPUT])?;
            let x = push(g, "second", conv(outputs, kernel, stride, padding, bias), &[x])?;
            head(g, x)
        });
        prop_assert!(error < TOLERANCE, "{}", error);
    }

    /// 3x3 filters with stride 1 on many channels, in eights, are another method.
    #[test]
    fn minimal_filtering(
        (height, width) in (3usize..8, 3usize..8),
        (padding, bias, samples) in (0usize..3, any::<bool>(), 1usize..4),
        (inputs, outputs) in (1usize..5, 3usize..7),
    ) {
        let error = gradient_error(Shape::new(height, width, 1), samples, |g| {
            let x = push(g, "first", conv(8 * inputs, 3, 1, 1, false), &[Tensor::INPUT])?;
            let x = push(g, "second", conv(8 * outputs, 3, 1, padding, bias), &[x])?;
            let x = push(g, "third", conv(2, 1, 1, 0, bias), &[x])?;
            head(g, x)
        });
        prop_assert!(error < TOLERANCE, "{}", error);
    }

    /// Of windows that overlap, touch or leave gaps, behind a ReLU or not.
    #[test]
    fn pools(
        (height, width, channels) in (4usize..8, 4usize..8, prop::sample::select(vec![3, 8, 19])),
        (size, stride) in (1usize..4, 1usize..4),
        (max, relu, samples) in (any::<bool>(), any::<bool>(), 1usize..4),
    ) {
        let op = if max { Op::MaxPool { size, stride, padding: Padding::Explicit(0) } } else { Op::AvgPool { size, stride, padding: Padding::Explicit(0) } };
        let error = gradient_error(Shape::new(height, width, 2), samples, |g| {
            let x = push(g, "conv", conv(channels, 3, 1, 1, true), &[Tensor::INPUT])?;
            let x = if relu { push(g, "relu", Op::Relu, &[x])? } else { x };
            let x = push(g, "pool", op, &[x])?;
            let x = push(g, "second", conv(2, 1, 1, 0, true), &[x])?;
            head(g, x)
        });
        prop_assert!(error < TOLERANCE, "{}", error);
    }
}

#[test]
fn batch_norm_with_and_without_relu() {
    for relu in [false, true] {
        let error = gradient_error(Shape::new(4, 3, 2), 6, |g| {
            let x = push(g, "conv", conv(5, 3, 1, 1, true), &[Tensor::INPUT])?;
            let x = push(g, "norm", Op::BATCH_NORM, &[x])?;
            let x = if relu { push(g, "relu", Op::Relu, &[x])? } else { x };
            let x = push(g, "conv2", conv(3, 3, 2, 1, false), &[x])?;
            let x = push(g, "norm2", Op::BATCH_NORM, &[x])?;
            let x = push(g, "pool", Op::GlobalAvgPool, &[x])?;
            push(g, "head", Op::Dense { outputs: CLASSES }, &[x])
        });
        assert!(error < TOLERANCE, "relu {relu}: {error}");
    }
}

/// Running statistics instead of the batch's: constants, far from what the batch has.
#[test]
fn frozen_batch_norm() {
    for relu in [false, true] {
        let describe = |g: &mut Graph| {
            let x = push(g, "conv", conv(5, 3, 1, 1, true), &[Tensor::INPUT])?;
            let x = push(g, "norm", Op::BATCH_NORM, &[x])?;
            let x = if relu { push(g, "relu", Op::Relu, &[x])? } else { x };
            let x = push(g, "conv2", conv(3, 3, 2, 1, false), &[x])?;
            let x = push(g, "norm2", Op::BATCH_NORM, &[x])?;
            head(g, x)
        };
        let freeze = |network: &mut Network<f64>| {
            let statistics: Vec<f64> = noise(7).take(network.statistics().len()).map(|n| 1.2 + n).collect();
            network.set_statistics(&statistics).unwrap();
            network.freeze_statistics(true);
        };
        let error = prepared_gradient_error(Shape::new(4, 3, 2), 6, describe, freeze);
        assert!(error < TOLERANCE, "relu {relu}: {error}");
    }
}

/// Each way a tensor can be read by several: nothing may be overwritten or counted twice.
#[test]
fn residual_connections() {
    type Block = fn(&mut Graph, Tensor) -> Result<Tensor, DescriptionError>;
    let blocks: [(&str, Block); 7] = [
        ("identity around one convolution", |g, x| {
            let y = push(g, "conv", conv(4, 3, 1, 1, false), &[x])?;
            push(g, "add", Op::Add, &[y, x])
        }),
        ("identity first", |g, x| {
            let y = push(g, "conv", conv(4, 3, 1, 1, false), &[x])?;
            push(g, "add", Op::Add, &[x, y])
        }),
        ("both branches with weights", |g, x| {
            let y = push(g, "a", conv(4, 3, 1, 1, false), &[x])?;
            let z = push(g, "b", conv(4, 1, 1, 0, false), &[x])?;
            push(g, "add", Op::Add, &[y, z])
        }),
        ("a ReLU with two readers", |g, x| {
            let x = push(g, "relu", Op::Relu, &[x])?;
            let y = push(g, "conv", conv(4, 3, 1, 1, true), &[x])?;
            let y = push(g, "relu2", Op::Relu, &[y])?;
            push(g, "add", Op::Add, &[y, x])
        }),
        ("an input of ReLU with two readers", |g, x| {
            let y = push(g, "relu", Op::Relu, &[x])?;
            let y = push(g, "conv", conv(4, 3, 1, 1, true), &[y])?;
            push(g, "add", Op::Add, &[y, x])
        }),
        ("a tensor added to itself", |g, x| push(g, "add", Op::Add, &[x, x])),
        ("a reader after the branch", |g, x| {
            let y = push(g, "a", conv(4, 3, 1, 1, false), &[x])?;
            let z = push(g, "b", conv(4, 3, 1, 1, false), &[x])?;
            let s = push(g, "add", Op::Add, &[y, x])?;
            push(g, "add2", Op::Add, &[s, z])
        }),
    ];
    for (name, block) in blocks {
        let error = gradient_error(Shape::new(4, 5, 2), 3, |g| {
            let x = push(g, "stem", conv(4, 3, 1, 1, true), &[Tensor::INPUT])?;
            let x = block(g, x)?;
            head(g, x)
        });
        assert!(error < TOLERANCE, "{name}: {error}");
    }
}

/// Whole networks, each architecture's wiring.
#[test]
fn architectures() {
    for (name, image) in [
        ("mlp-9-7", Shape::new(4, 4, 1)),
        ("resnet-8", Shape::new(5, 6, 1)),
        ("wrn-10-1-projection", Shape::new(5, 4, 2)),
    ] {
        let mut network = Network::<f64>::new(&name.parse().unwrap(), image, CLASSES, 3, 1).unwrap();
        let images = images(3, image, 5);
        network.set_batch(images.view(), &[0, 2, 1]).unwrap();
        let mut w: Vec<f64> =
            network.initial_parameters(1).iter().zip(noise(2)).map(|(w, n)| w + 0.1 * n).collect();
        let (mut g, mut scratch) = (vec![0.0; w.len()], vec![0.0; w.len()]);
        network.gradient(&w, &mut g, Pass::Clean).unwrap();
        let largest = g.iter().fold(0.0f64, |m, g| m.max(g.abs()));
        // Some parameters of every tensor; all would take minutes.
        let tensors: Vec<_> = network.tensors().to_vec();
        for tensor in tensors {
            for i in tensor.range.clone().step_by(1 + tensor.range.len() / 5) {
                let at = w[i];
                let mut loss = |value| {
                    w[i] = value;
                    network.gradient(&w, &mut scratch, Pass::Perturbed).unwrap()
                };
                let difference = (loss(at + 1e-6) - loss(at - 1e-6)) / 2e-6;
                w[i] = at;
                let error = (difference - g[i]).abs() / largest;
                assert!(error < 1e-6, "{name}, {}[{}]: {error}", tensor.name, i - tensor.range.start);
            }
        }
    }
}
