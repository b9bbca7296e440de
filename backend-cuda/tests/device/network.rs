//! Whole networks against the CPU backend: what they start from, what they compute, what they refuse.

use sam_backend_cuda::{CudaError, CudaNetwork, Device, DeviceVec, Gradient, NetworkError};
use sam_core::{GradientOracle, Pass};
use sam_model::{Architecture, BatchNorm, Description, Graph, Name, Op, Padding, Shape, Tensor};

use crate::{
    support::device,
    twins::{Twins, refusal},
};

fn architecture(name: &str) -> Architecture {
    name.parse().unwrap()
}

fn twins(turn: &crate::support::Turn, name: &str, image: Shape, samples: usize) -> Twins {
    Twins::new(turn, &architecture(name).describe(image, 10).unwrap(), samples)
}

#[test]
fn architectures() {
    let Some(turn) = device("architectures") else { return };
    for (name, image) in [
        ("mlp-9-7", Shape::new(4, 4, 1)),
        ("lenet", Shape::new(5, 4, 1)),
        ("resnet-8", Shape::new(5, 6, 1)),
        ("wrn-10-1-projection", Shape::new(5, 4, 2)),
        ("wrn-10-1", Shape::new(6, 5, 2)),
        ("wrn-10-1-nobn", Shape::new(5, 4, 1)),
        ("resnet-8-noshort", Shape::new(5, 6, 1)),
        ("shake-shake-26-2x2d", Shape::new(5, 6, 1)),
        ("pyramidnet-11-6-shakedrop", Shape::new(6, 6, 1)),
    ] {
        let mut twins = twins(&turn, name, image, 3);
        for pass in [Pass::Clean, Pass::Perturbed] {
            let (error, tensor) = twins.worst(&turn, pass);
            assert!(error < 2e-4, "{name}, {pass} pass: the gradient of {tensor} is off by {error:e}");
        }
    }
}

/// Fifty layers of normalisations enlarge what rounding leaves: on the device no more than on the CPU in single precision.
#[test]
fn a_deep_network_is_as_exact_as_on_the_host() {
    let Some(turn) = device("a_deep_network_is_as_exact_as_on_the_host") else { return };
    let mut twins = twins(&turn, "resnet-50-w2", Shape::new(33, 34, 1), 3);
    let own = twins.host_rounding();
    let (error, tensor) = twins.worst(&turn, Pass::Clean);
    assert!(error < 8.0 * own + 2e-4, "the gradient of {tensor} is off by {error:e}, the host's by {own:e}");
}

/// A stem, two inverted bottlenecks with squeeze-and-excitation, the second with a shortcut, and the top: `EfficientNet`'s
/// operations and padding.
#[test]
fn inverted_bottlenecks() {
    let Some(turn) = device("inverted_bottlenecks") else { return };
    const NORM: Op = Op::BatchNorm(BatchNorm::EFFICIENT_NET);
    let conv = |channels, kernel, stride, groups, bias| Op::Conv {
        channels,
        kernel,
        stride,
        padding: Padding::Same,
        groups,
        bias,
    };
    let block = |graph: &mut Graph, x, number, (channels, kernel, stride)| {
        let name = |local| Name::in_block(1, number, local);
        let wide = 3 * graph.shape(x).channels;
        let y = graph.chain(
            x,
            [
                (name("expand"), conv(wide, 1, 1, 1, false)),
                (name("norm1"), NORM),
                (name("swish1"), Op::Swish),
                (name("depthwise"), conv(wide, kernel, stride, wide, false)),
                (name("norm2"), NORM),
                (name("swish2"), Op::Swish),
            ],
        )?;
        let s = graph.chain(
            y,
            [
                (name("squeeze"), Op::GlobalAvgPool),
                (name("squeeze_conv"), conv(2, 1, 1, 1, true)),
                (name("squeeze_swish"), Op::Swish),
                (name("excite_conv"), conv(wide, 1, 1, 1, true)),
                (name("excite_sigmoid"), Op::Sigmoid),
            ],
        )?;
        let y = graph.push(name("scale"), Op::Scale, &[y, s])?;
        let y = graph.chain(y, [(name("project"), conv(channels, 1, 1, 1, false)), (name("norm3"), NORM)])?;
        if graph.shape(x) != graph.shape(y) {
            return Ok(y);
        }
        let y = graph.push(name("drop"), Op::DropConnect { rate: 0.4 }, &[y])?;
        graph.push(name("add"), Op::Add, &[y, x])
    };
    let description = Description::new(Shape::new(12, 9, 2), 5, |graph| {
        let stem = [("stem", conv(4, 3, 2, 1, false)), ("stem_norm", NORM), ("stem_relu6", Op::Relu6)];
        let x = graph.chain(Tensor::INPUT, stem)?;
        let x = block(graph, x, 0, (5, 5, 2))?;
        let x = block(graph, x, 1, (5, 3, 1))?;
        let top = [
            ("pool", Op::GlobalAvgPool),
            ("dropout", Op::Dropout { rate: 0.3 }),
            ("head", Op::Classify { classes: 5 }),
        ];
        graph.chain(x, top)
    });
    let mut twins = Twins::new(&turn, &description.unwrap(), 5);
    for pass in [Pass::Clean, Pass::Perturbed] {
        let (error, tensor) = twins.worst(&turn, pass);
        assert!(error < 2e-4, "{pass} pass: the gradient of {tensor} is off by {error:e}");
    }
}

/// Networks of the table of names, whatever they are made of.
#[test]
fn every_network_that_has_a_name_can_be_built() {
    let Some(turn) = device("every_network_that_has_a_name_can_be_built") else { return };
    for name in Architecture::names() {
        let built = CudaNetwork::new(&turn.device, &architecture(name), Shape::new(32, 32, 3), 10, 1);
        assert!(built.is_ok_and(|network| network.parameter_count() > 0), "{name}");
    }
}

/// A checkpoint of one backend is one of the other: same tensors, same places, same start.
#[test]
fn layout_and_start_are_the_hosts() {
    let Some(turn) = device("layout_and_start_are_the_hosts") else { return };
    for name in ["mlp-9-7", "lenet", "resnet-8", "wrn-10-2-projection"] {
        let twins = twins(&turn, name, Shape::new(8, 8, 3), 2);
        let device = twins.device.tensors().iter().chain(twins.device.statistic_tensors());
        let host = twins.host.tensors().iter().chain(twins.host.statistic_tensors());
        let device: Vec<_> = device.map(|s| (s.name.clone(), s.shape.clone(), s.range.clone())).collect();
        let host: Vec<_> = host.map(|s| (s.name.clone(), s.shape.clone(), s.range.clone())).collect();
        assert_eq!(device, host, "{name}");
        let host: Vec<f32> = twins.host.initial_parameters(11).iter().map(|w| *w as f32).collect();
        assert_eq!(twins.device.initial_parameters(11), host, "{name}");
    }
}

/// They follow the clean pass only, as the host's do, and evaluation goes by them.
#[test]
fn running_statistics_and_evaluation_are_the_hosts() {
    let Some(turn) = device("running_statistics_and_evaluation_are_the_hosts") else { return };
    let mut twins = twins(&turn, "resnet-8", Shape::new(6, 5, 1), 4);
    let w = twins.parameters();
    let start = twins.device.statistics().unwrap();
    twins.gradients(&turn, &w, Pass::Perturbed);
    assert_eq!(twins.device.statistics().unwrap(), start, "the perturbed pass changed them");
    for _ in 0..3 {
        twins.gradients(&turn, &w, Pass::Clean);
    }
    let found = twins.device.statistics().unwrap();
    assert_ne!(found, start);
    for (found, expected) in found.iter().zip(twins.host.statistics()) {
        assert!((f64::from(*found) - expected).abs() <= 1e-5 * expected.abs().max(0.1));
    }

    // More images than the network takes at a time, the last part smaller.
    let images: Vec<f32> = crate::twins::noise(9).take(10 * twins.image.len()).collect();
    let labels: Vec<u16> = (0..10).collect();
    let params = DeviceVec::from_slice(&turn.device, &w).unwrap();
    let found = twins.device.evaluate(&params, &images, &labels).unwrap();
    let wide: Vec<f64> = w.iter().map(|w| f64::from(*w)).collect();
    let values = images.iter().map(|x| f64::from(*x)).collect();
    let images = ndarray::Array4::from_shape_vec((10, 6, 5, 1), values).unwrap();
    let expected = twins.host.evaluate(&wide, images.view(), &labels).unwrap();
    assert!((found.loss - expected.loss).abs() < 1e-5 * expected.loss, "{found:?} {expected:?}");
    assert_eq!((found.correct, found.count), (expected.correct, expected.count));
}

/// Frozen ones are what both passes normalise by, as on the host, and stay.
#[test]
fn frozen_statistics_are_the_hosts() {
    let Some(turn) = device("frozen_statistics_are_the_hosts") else { return };
    for name in ["resnet-8", "pyramidnet-11-6-shakedrop"] {
        let mut twins = twins(&turn, name, Shape::new(6, 5, 1), 4);
        let count = twins.device.statistics().unwrap().len();
        let statistics: Vec<f32> = crate::twins::noise(5).take(count).map(|n| 0.6 + 0.5 * n).collect();
        twins.device.set_statistics(&statistics).unwrap();
        let wide: Vec<f64> = statistics.iter().map(|x| f64::from(*x)).collect();
        twins.host.set_statistics(&wide).unwrap();
        twins.device.freeze_statistics(true);
        twins.host.freeze_statistics(true);
        for pass in [Pass::Clean, Pass::Perturbed] {
            let (error, tensor) = twins.worst(&turn, pass);
            assert!(error < 2e-4, "{name}, {pass} pass: the gradient of {tensor} is off by {error:e}");
        }
        assert_eq!(twins.device.statistics().unwrap(), statistics);
        twins.device.freeze_statistics(false);
        twins.host.freeze_statistics(false);
        assert!(twins.worst(&turn, Pass::Clean).0 < 2e-4, "{name}");
        assert_ne!(twins.device.statistics().unwrap(), statistics);
    }
}

/// A step that comes to nothing leaves no trace in them either, if asked.
#[test]
fn running_statistics_can_be_recalled() {
    let Some(turn) = device("running_statistics_can_be_recalled") else { return };
    let mut twins = twins(&turn, "resnet-8", Shape::new(5, 5, 1), 2);
    let w = twins.parameters();
    twins.gradients(&turn, &w, Pass::Clean);
    let before = twins.device.statistics().unwrap();
    twins.device.remember_statistics().unwrap();
    twins.gradients(&turn, &w, Pass::Clean);
    assert_ne!(twins.device.statistics().unwrap(), before);
    twins.device.recall_statistics().unwrap();
    assert_eq!(twins.device.statistics().unwrap(), before);
}

/// A saturated softmax has a finite gradient where the loss is infinite: the device may not step along it.
#[test]
fn a_loss_that_is_not_finite_has_no_gradient() {
    let Some(turn) = device("a_loss_that_is_not_finite_has_no_gradient") else { return };
    let head = |graph: &mut Graph| graph.push("head", Op::Dense { outputs: 3 }, &[Tensor::INPUT]);
    let description = Description::new(Shape::vector(2), 3, head).unwrap();
    let mut network = CudaNetwork::build(&turn.device, &description, 1).unwrap();
    // Logits of -infinity for the label, 0 and 1 for the others.
    network.set_batch(&[1.0, 0.0], &[0]).unwrap();
    let w = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, f32::NEG_INFINITY, 0.0, 0.0];
    let params = DeviceVec::from_slice(&turn.device, &w).unwrap();
    let mut grads = Gradient::zeros(&turn.device, w.len()).unwrap();
    let loss = network.gradient(&params, &mut grads, Pass::Clean).unwrap();
    assert!(!loss.value().unwrap().is_finite());
    assert!(grads.values().read().unwrap()[6..].iter().all(|g| g.is_nan()));
}

/// A smaller batch than the network was built for.
#[test]
fn a_part_of_a_batch_counts_alone() {
    let Some(turn) = device("a_part_of_a_batch_counts_alone") else { return };
    let mut twins = twins(&turn, "lenet", Shape::new(6, 6, 1), 7);
    twins.set_batch(3);
    let (error, tensor) = twins.worst(&turn, Pass::Clean);
    assert!(error < 1e-4, "the gradient of {tensor} is off by {error:e}");
}

/// No order of anything depends on chance.
#[test]
fn gradients_have_the_same_bits_every_time() {
    let Some(turn) = device("gradients_have_the_same_bits_every_time") else { return };
    let mut twins = twins(&turn, "resnet-8", Shape::new(6, 6, 1), 4);
    let w = twins.parameters();
    let params = DeviceVec::from_slice(&turn.device, &w).unwrap();
    let mut grads = Gradient::zeros(&turn.device, w.len()).unwrap();
    let mut bits = || {
        twins.device.gradient(&params, &mut grads, Pass::Perturbed).unwrap();
        grads.values().read().unwrap().iter().map(|g| g.to_bits()).collect::<Vec<_>>()
    };
    let first = bits();
    assert_eq!(first, bits());
}

/// Its part of the gradient would stay what it was before.
#[test]
fn a_layer_that_nobody_reads_is_refused() {
    let Some(turn) = device("a_layer_that_nobody_reads_is_refused") else { return };
    let conv =
        Op::Conv { channels: 3, kernel: 3, stride: 1, padding: Padding::Explicit(0), groups: 1, bias: false };
    let described = Description::new(Shape::new(5, 5, 1), 4, |g| {
        let x = g.push("stem", conv, &[Tensor::INPUT])?;
        g.push("dead", conv, &[x])?;
        g.chain(x, [("pool", Op::GlobalAvgPool), ("head", Op::Classify { classes: 4 })])
    });
    let built = described.map_err(NetworkError::from);
    let refused = refusal(built.and_then(|description| CudaNetwork::build(&turn.device, &description, 2)));
    assert!(refused.contains("layer dead: expected another to read its output"), "{refused}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let Some(turn) = device("what_does_not_fit_is_refused") else { return };
    let new = |device: &Device, name: &str, image, classes, batch| {
        refusal(CudaNetwork::new(device, &architecture(name), image, classes, batch))
    };
    let device = &turn.device;
    let small = new(device, "lenet", Shape::new(2, 2, 1), 10, 1);
    assert!(small.contains("pool2") && small.contains("at least as large as the window"), "{small}");
    assert!(new(device, "mlp-3", Shape::new(2, 2, 1), 1, 1).contains("2 to 65536 classes"));
    assert!(new(device, "mlp-3", Shape::new(2, 2, 1), 2, 0).contains("at least one sample"));

    let image = Shape::new(2, 2, 1);
    let mut network = CudaNetwork::new(device, &architecture("mlp-3"), image, 2, 2).unwrap();
    let params = DeviceVec::from_slice(device, &network.initial_parameters(0)).unwrap();
    let mut grads = Gradient::zeros(device, params.len()).unwrap();
    let error = network.gradient(&params, &mut grads, Pass::Clean).unwrap_err();
    assert!(matches!(error, NetworkError::NoBatch), "{error}");
    let error = network.set_batch(&[0.0; 8], &[0, 2]).unwrap_err();
    assert!(matches!(error, NetworkError::Label { classes: 2, found: 2, sample: 1 }), "{error}");
    let error = network.set_batch(&[0.0; 12], &[0, 1, 0]).unwrap_err();
    assert!(matches!(error, NetworkError::Samples { most: Some(2), found: 3 }), "{error}");
    let error = network.set_batch(&[0.0; 7], &[0, 1]).unwrap_err();
    let expected = CudaError::Length { what: "images", expected: 8, found: 7 };
    assert!(matches!(&error, NetworkError::Device(found) if *found == expected), "{error}");
    network.set_batch(&[0.0; 8], &[0, 1]).unwrap();
    let mut short = Gradient::zeros(device, 1).unwrap();
    let error = network.gradient(&params, &mut short, Pass::Clean).unwrap_err();
    assert!(error.to_string().contains("expected 23 entries, found 1"), "{error}");
}
