//! A network's forward pass against plain loops, its running statistics, and what its results may not depend on.

use ndarray::{Array2, s};
use sam_backend_ndarray::{Activations, BatchError, Network, NetworkError, Random, Scalar, TensorView};
use sam_core::{GradientOracle, Pass};
use sam_model::{
    Architecture, Description, DescriptionError, ImageShape, Op, Padding, Shape, Tensor,
    random::{BackwardCoefficients, Key},
};

use super::support::images;

fn labels(samples: usize, classes: usize) -> Vec<u16> {
    (0..samples).map(|i| ((i * 5 + 1) % classes) as u16).collect()
}

fn network(name: &str, image: ImageShape, batch: usize, threads: usize) -> Network<f32> {
    Network::new(&name.parse().unwrap(), image, 10, batch, threads).unwrap()
}

/// Initial parameters with all tensors off their start: zero weights of the logits would hide the layers before.
fn parameters<T: Scalar>(network: &Network<T>, seed: u64) -> Vec<T> {
    let mut w = network.initial_parameters(seed);
    w.iter_mut().enumerate().for_each(|(i, w)| *w += T::of((i * 29 % 31) as f64 / 310.0 - 0.05));
    w
}

/// One convolution and a dense layer by the definition, sums in f64.
#[test]
fn a_small_network_equals_plain_loops() {
    let image = Shape::new(6, 5, 2);
    let (kernel, stride, padding, channels) = (3, 2, 1, 3);
    let description = Description::new(image, 4, |g| {
        let conv =
            Op::Conv { channels, kernel, stride, padding: Padding::Explicit(padding), groups: 1, bias: true };
        let x = g.push("conv", conv, &[Tensor::INPUT])?;
        let x = g.push("relu", Op::Relu, &[x])?;
        let x = g.push("flatten", Op::Flatten, &[x])?;
        g.push("head", Op::Dense { outputs: 4 }, &[x])
    })
    .unwrap();
    let mut network = Network::<f64>::build(&description, 7, 2).unwrap();
    let x = images::<f64>(7, image, 3);
    let y = labels(7, 4);
    let mut w = network.initial_parameters(5);
    w.iter_mut().enumerate().for_each(|(i, w)| *w += (i % 7) as f64 / 70.0);
    let found = network.evaluate(&w, x.view(), &y).unwrap();

    let part = |name: &str| {
        let tensor = network.tensors().iter().find(|s| s.name == name).unwrap();
        &w[tensor.range.clone()]
    };
    let (filters, bias) = (part("conv.weight"), part("conv.bias"));
    let (matrix, offset) = (part("head.weight"), part("head.bias"));
    let (out_height, out_width) = (3, 3);
    let mut loss = 0.0;
    for (n, &label) in y.iter().enumerate() {
        let mut hidden = vec![];
        for i in 0..out_height {
            for j in 0..out_width {
                for (o, bias) in bias.iter().enumerate() {
                    let mut sum = *bias;
                    for r in 0..kernel {
                        for q in 0..kernel {
                            for c in 0..image.channels {
                                let (row, column) = (i * stride + r, j * stride + q);
                                if (1..=image.height).contains(&row) && (1..=image.width).contains(&column) {
                                    sum += x[[n, row - 1, column - 1, c]]
                                        * filters[((r * kernel + q) * image.channels + c) * channels + o];
                                }
                            }
                        }
                    }
                    hidden.push(sum.max(0.0));
                }
            }
        }
        let logits: Vec<f64> = (0..4)
            .map(|k| offset[k] + hidden.iter().enumerate().map(|(i, h)| h * matrix[i * 4 + k]).sum::<f64>())
            .collect();
        loss += logits.iter().map(|l| l.exp()).sum::<f64>().ln() - logits[usize::from(label)];
    }
    assert!((found.loss - loss / 7.0).abs() < 1e-12, "{} against {}", found.loss, loss / 7.0);
}

/// The core's own conformance kit, on networks with every kind of layer.
#[test]
fn networks_conform_to_the_oracle_trait() {
    let image = Shape::new(6, 5, 1);
    for name in ["mlp-9-7", "lenet", "resnet-8", "wrn-10-1-projection"] {
        let mut network = Network::<f64>::new(&name.parse().unwrap(), image, 3, 5, 2).unwrap();
        network.set_batch(images(5, image, 8).view(), &labels(5, 3)).unwrap();
        let w = parameters(&network, 1);
        sam_core::testkit::check_oracle(&mut network, &w, 1e-6, 1e-6);
    }
}

/// A small member of each family of the SAM paper's networks.
const ZOO: [&str; 7] = [
    "wrn-10-1",
    "wrn-10-1-nobn",
    "shake-shake-8-2x8d",
    "pyramidnet-11-8-shakedrop",
    "resnet-50-w2",
    "efficientnet-b0",
    "efficientnet-lite0",
];
const RANDOM: Random =
    Random { key: Key([4, 8, 2]), first: 0, backward: BackwardCoefficients::FreshWhenPerturbed };

/// A batch in parts draws what the batch as a whole draws.
#[test]
fn samples_draw_by_their_position_in_the_batch_of_the_step() {
    let image = Shape::new(12, 12, 1);
    let description = Description::new(image, CLASSES_OF_MIXED, |g| {
        let shaken = g.push("shaken", Op::ShakeDrop { keep: 0.5 }, &[Tensor::INPUT])?;
        let mixed = g.push("mixed", Op::ShakeShake, &[shaken, Tensor::INPUT])?;
        let dropped = g.push("dropped", Op::Dropout { rate: 0.5 }, &[mixed])?;
        g.chain(dropped, [("flatten", Op::Flatten), ("head", Op::Dense { outputs: CLASSES_OF_MIXED })])
    });
    let mut network = Network::<f64>::build(&description.unwrap(), 7, 2).unwrap();
    let (x, y) = (images::<f64>(7, image, 1), labels(7, CLASSES_OF_MIXED));
    let w: Vec<f64> = parameters(&network, 2);
    let mut gradient = |range: std::ops::Range<usize>, first| {
        network.set_batch(x.slice(s![range.clone(), .., .., ..]), &y[range]).unwrap();
        network.set_random(Some(Random { first, ..RANDOM }));
        let mut g = vec![0.0; w.len()];
        network.gradient(&w, &mut g, Pass::Perturbed).unwrap();
        g
    };
    let (whole, front, back) = (gradient(0..7, 0), gradient(0..3, 0), gradient(3..7, 3));
    let parts: Vec<f64> = front.iter().zip(&back).map(|(a, b)| (3.0 * a + 4.0 * b) / 7.0).collect();
    assert!(whole.iter().zip(&parts).all(|(a, b)| (a - b).abs() < 1e-12));
    let misplaced = gradient(3..7, 0);
    assert!(back.iter().zip(&misplaced).any(|(a, b)| (a - b).abs() > 1e-3));
}

const CLASSES_OF_MIXED: usize = 4;

/// Everything that a step makes has the same bits on one, two and three threads.
#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for name in ["mlp-50-30", "lenet", "resnet-8", "wrn-10-2-projection"].into_iter().chain(ZOO) {
        let image = Shape::new(12, 12, 1);
        let run = |threads: usize| {
            let mut network = network(name, image, 37, threads);
            network.set_batch(images(37, image, 1).view(), &labels(37, 10)).unwrap();
            network.set_random(Some(RANDOM));
            let mut w = parameters(&network, 2);
            let mut g = vec![0.0; w.len()];
            let mut bits = vec![];
            for _ in 0..2 {
                let loss = network.gradient(&w, &mut g, Pass::Clean).unwrap();
                bits.push(loss.to_bits());
                bits.extend(g.iter().map(|g| u64::from(g.to_bits())));
                w.iter_mut().zip(&g).for_each(|(w, g)| *w -= 0.01 * g);
            }
            bits.extend(network.statistics().iter().map(|s| u64::from(s.to_bits())));
            bits
        };
        let one = run(1);
        assert_eq!(one, run(2), "{name}, two threads");
        assert_eq!(one, run(3), "{name}, three threads");
    }
}

#[test]
fn f32_agrees_with_f64() {
    let image = Shape::new(10, 9, 1);
    for name in ["mlp-50-30", "lenet", "resnet-8", "wrn-10-2-projection"] {
        let mut narrow = network(name, image, 16, 2);
        let mut wide = Network::<f64>::new(&name.parse().unwrap(), image, 10, 16, 2).unwrap();
        let x = images(16, image, 4);
        narrow.set_batch(x.view(), &labels(16, 10)).unwrap();
        wide.set_batch(x.mapv(f64::from).view(), &labels(16, 10)).unwrap();
        let w = parameters(&narrow, 1);
        let exact: Vec<f64> = w.iter().map(|&w| f64::from(w)).collect();
        let (mut g, mut exact_g) = (vec![0.0; w.len()], vec![0.0; w.len()]);
        let loss = narrow.gradient(&w, &mut g, Pass::Clean).unwrap();
        let exact_loss = wide.gradient(&exact, &mut exact_g, Pass::Clean).unwrap();
        assert!((loss - exact_loss).abs() < 1e-5 * exact_loss, "{name}: {loss} against {exact_loss}");
        let norm = exact_g.iter().map(|g| g * g).sum::<f64>().sqrt();
        let error = g.iter().zip(&exact_g).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum::<f64>().sqrt();
        assert!(error < 2e-5 * norm, "{name}: gradients differ by {} of their norm", error / norm);
    }
}

/// Running statistics follow the clean pass only, and by the definition.
#[test]
fn running_statistics_follow_the_clean_pass() {
    let image = Shape::new(3, 4, 2);
    let description = Description::new(image, 2, |g| {
        let x = g.push("norm", Op::BATCH_NORM, &[Tensor::INPUT])?;
        let x = g.push("pool", Op::GlobalAvgPool, &[x])?;
        g.push("head", Op::Dense { outputs: 2 }, &[x])
    })
    .unwrap();
    let mut network = Network::<f64>::build(&description, 5, 1).unwrap();
    let x = images::<f64>(5, image, 9).mapv(|x| x + 1000.0);
    network.set_batch(x.view(), &[0, 1, 0, 1, 1]).unwrap();
    let w = network.initial_parameters(0);
    let mut g = vec![0.0; w.len()];
    let before = network.statistics().to_vec();
    assert_eq!(before, [0.0, 0.0, 1.0, 1.0]);
    network.gradient(&w, &mut g, Pass::Perturbed).unwrap();
    let of_batch = network.batch_statistics(&w).unwrap();
    assert_eq!(network.statistics(), before);
    network.gradient(&w, &mut g, Pass::Clean).unwrap();
    for c in 0..2 {
        let channel = x.slice(s![.., .., .., c]);
        let mean = channel.mean().unwrap();
        let variance = channel.var(1.0);
        let [found_mean, found_variance] = [network.statistics()[c], network.statistics()[2 + c]];
        assert!((found_mean - 0.1 * mean).abs() < 1e-9, "{found_mean}");
        let [of_mean, of_variance] = [of_batch[c], of_batch[2 + c]];
        assert!((of_mean - mean).abs() < 1e-9, "{of_mean} {mean}");
        assert!((of_variance - variance).abs() < 1e-9, "{of_variance} {variance}");
        assert!((found_variance - (0.9 + 0.1 * variance)).abs() < 1e-9, "{found_variance}");
    }
    let after = network.statistics().to_vec();
    network.evaluate(&w, x.view(), &[0, 1, 0, 1, 1]).unwrap();
    assert_eq!(network.statistics(), after);
    // An evaluation forgets the batch, and a wrong length is refused.
    assert!(matches!(network.batch_statistics(&w), Err(BatchError::NoBatch)));
    assert!(matches!(network.batch_statistics(&w[1..]), Err(BatchError::Length { .. })));
}

/// What a gradient is of, with frozen statistics, is what evaluation finds; and no pass moves them.
#[test]
fn frozen_statistics_are_those_of_evaluation() {
    let image = Shape::new(6, 5, 1);
    let mut network = network("resnet-8", image, 9, 2);
    let (x, y) = (images(9, image, 3), labels(9, 10));
    let w = parameters(&network, 1);
    let mut g = vec![0.0; w.len()];
    network.set_batch(x.view(), &y).unwrap();
    let by_batch = network.gradient(&w, &mut g, Pass::Clean).unwrap();
    let statistics = network.statistics().to_vec();
    network.freeze_statistics(true);
    for pass in [Pass::Clean, Pass::Perturbed] {
        network.set_batch(x.view(), &y).unwrap();
        let loss = network.gradient(&w, &mut g, pass).unwrap();
        let evaluated = network.evaluate(&w, x.view(), &y).unwrap().loss;
        // Evaluation folds the normalisation into the convolutions.
        assert!((loss / evaluated - 1.0).abs() < 1e-6, "{loss}, not {evaluated}");
        assert_eq!(network.statistics(), statistics);
        assert!((loss - by_batch).abs() > 1e-3, "the test needs other statistics than the batch's");
    }
}

/// A large mean must not cancel the variance away in f32.
#[test]
fn variance_survives_a_large_mean() {
    let image = Shape::new(8, 8, 1);
    let description = Description::new(image, 2, |g| {
        let x = g.push("norm", Op::BATCH_NORM, &[Tensor::INPUT])?;
        let x = g.push("pool", Op::GlobalAvgPool, &[x])?;
        g.push("head", Op::Dense { outputs: 2 }, &[x])
    })
    .unwrap();
    let mut network = Network::<f32>::build(&description, 64, 1).unwrap();
    let x = images::<f32>(64, image, 2).mapv(|x| x + 4096.0);
    network.set_batch(x.view(), &labels(64, 2)).unwrap();
    let mut g = vec![0.0; network.parameter_count()];
    network.gradient(&network.initial_parameters(0), &mut g, Pass::Clean).unwrap();
    let variance = x.mapv(f64::from).var(1.0);
    let found = (f64::from(network.statistics()[1]) - 0.9) / 0.1;
    assert!((found / variance - 1.0).abs() < 1e-4, "{found} against {variance}");
}

/// Evaluation in parts, the last one short, counts every image once.
#[test]
fn evaluation_does_not_depend_on_the_batch() {
    let image = Shape::new(8, 8, 1);
    let x = images(23, image, 6);
    let result = |batch: usize| {
        let mut network = network("wrn-10-1-projection", image, batch, 2);
        let w = parameters(&network, 4);
        network.evaluate(&w, x.view(), &labels(23, 10)).unwrap()
    };
    let (whole, parts) = (result(23), result(5));
    assert_eq!((whole.correct, whole.count), (parts.correct, 23));
    assert!((whole.loss - parts.loss).abs() < 1e-9);
}

/// Views are the arena's own values, in the order that the shape says.
#[test]
fn views_show_the_arena() {
    let network = network("lenet", Shape::new(8, 8, 1), 1, 1);
    let mut w: Vec<f32> = (0..network.parameter_count()).map(|i| i as f32).collect();
    for tensor in network.tensors() {
        let start = tensor.range.start as f32;
        assert_eq!(tensor.view(&w).unwrap().shape(), tensor.shape);
        tensor.view_mut(&mut w).unwrap().iter_mut().enumerate().for_each(|(i, w)| {
            assert_eq!(*w, start + i as f32);
            *w = -*w;
        });
        assert!(tensor.view(&w[..tensor.range.end - 1]).is_err());
    }
    assert!(w.iter().skip(1).all(|w| *w < 0.0), "every parameter is in a tensor");
    let filters = network.tensors().iter().find(|s| s.name == "conv2.weight").unwrap();
    assert_eq!(filters.view(&w).unwrap()[[1, 2, 3, 4]], w[filters.range.start + ((3 + 2) * 32 + 3) * 64 + 4]);
}

/// He et al. 2015: weights have mean 0 and variance 2 / fan-in; the seed alone decides.
#[test]
fn initial_weights_have_the_variance_of_he() {
    let network = network("wrn-16-4-projection", Shape::new(28, 28, 1), 1, 1);
    let w = network.initial_parameters(7);
    assert_eq!(w, network.initial_parameters(7));
    assert_ne!(w, network.initial_parameters(8));
    for tensor in network.tensors() {
        let values = &w[tensor.range.clone()];
        let constant = |value: f32| values.iter().all(|&v| v == value);
        match tensor.name.rsplit('.').next().unwrap() {
            "weight" if tensor.name == "head.weight" => assert!(constant(0.0)),
            "scale" => assert!(constant(1.0)),
            "shift" | "bias" => assert!(constant(0.0)),
            _ => {
                let fan_in: usize = tensor.shape[..tensor.shape.len() - 1].iter().product();
                let n = values.len() as f64;
                let variance = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / n;
                let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
                let expected = 2.0 / fan_in as f64;
                // Five standard errors.
                assert!((variance / expected - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{}", tensor.name);
                assert!(mean.abs() < 5.0 * (expected / n).sqrt(), "{}", tensor.name);
            }
        }
    }
}

/// Parameter counts of the literature: WRN-16-4 and WRN-28-10 on 3-channel images have 2.7 M and 36.5 M
/// (Zagoruyko and Komodakis 2016, table 4), ResNet-20 and -32 have 0.27 M and 0.46 M (He et al. 2016, table 6).
#[test]
fn sizes_are_those_of_the_papers() {
    let image = Shape::new(32, 32, 3);
    for (name, millions) in [
        ("wrn-16-4-projection", 2.7),
        ("wrn-28-10-projection", 36.5),
        ("resnet-20", 0.27),
        ("resnet-32", 0.47),
    ] {
        let count = network(name, image, 1, 1).parameter_count() as f64 / 1e6;
        assert!((count / millions - 1.0).abs() < 0.03, "{name}: {count} M");
    }
}

#[test]
fn the_first_layer_with_a_value_that_is_not_finite_is_named() {
    let image = ImageShape::new(8, 8, 1);
    for model in ["mlp-7-6", "lenet", "resnet-8", "wrn-10-1-projection"] {
        let mut network = network(model, image, 5, 2);
        let w = parameters(&network, 1);
        let mut g = vec![0.0; w.len()];
        network.set_batch(images(5, image, 1).view(), &labels(5, 10)).unwrap();
        network.gradient(&w, &mut g, Pass::Clean).unwrap();
        assert_eq!(network.first_nonfinite_layer(), None, "{model}");
        for tensor in network.tensors().to_vec() {
            let mut poisoned = w.clone();
            poisoned[tensor.range.end - 1] = f32::NAN;
            network.gradient(&poisoned, &mut g, Pass::Perturbed).unwrap();
            let layer = tensor.name.rsplit_once('.').unwrap().0;
            assert_eq!(network.first_nonfinite_layer(), Some(layer), "{model}, {}", tensor.name);
        }
        network.gradient(&w, &mut g, Pass::Clean).unwrap();
        assert_eq!(network.first_nonfinite_layer(), None, "{model}: nothing stays behind");
    }
}

/// Wherever a NaN stands in a window, it is the window's largest value.
#[test]
fn a_nan_passes_through_pools() {
    let image = ImageShape::new(4, 4, 9);
    let op = Op::MaxPool { size: 2, stride: 2, padding: Padding::Explicit(0) };
    let identity =
        Op::Conv { channels: 9, kernel: 1, stride: 1, padding: Padding::Explicit(0), groups: 1, bias: false };
    for relu in [false, true] {
        let description = Description::new(image, 3, |g| {
            let x = g.push("identity", identity, &[Tensor::INPUT])?;
            let x = if relu { g.push("relu", Op::Relu, &[x])? } else { x };
            let x = g.push("pool", op, &[x])?;
            let x = g.push("flatten", Op::Flatten, &[x])?;
            g.push("head", Op::Classify { classes: 3 }, &[x])
        })
        .unwrap();
        let mut network = Network::<f32>::build(&description, 1, 1).unwrap();
        let mut w = vec![1.0; network.parameter_count()];
        (0..81).for_each(|i| w[i] = f32::from(u8::from(i % 10 == 0)));
        for pixel in 0..16 {
            let mut batch = images::<f32>(1, image, 1);
            batch[[0, pixel / 4, pixel % 4, 0]] = f32::NAN;
            let mut logits = Array2::zeros([1, 3]);
            network.logits(&w, batch.view(), logits.view_mut()).unwrap();
            assert!(logits.iter().all(|logit| logit.is_nan()), "relu {relu}, pixel {pixel}");
        }
    }
}

#[test]
fn a_size_is_known_before_anything_is_allocated() {
    let image = ImageShape::new(12, 12, 1);
    for model in ["mlp-50-30", "lenet", "resnet-8", "wrn-10-2-projection"].into_iter().chain(ZOO) {
        let network = network(model, image, 7, 1);
        let size = Network::<f32>::size(&model.parse().unwrap(), image, 10, 7).unwrap();
        assert_eq!(size.parameters, network.parameter_count(), "{model}");
        assert_eq!(size.buffer_bytes, network.buffer_bytes() as u128, "{model}");
    }
    // Petabytes.
    let size = Network::<f32>::size(&"wrn-1000-32-projection".parse().unwrap(), image, 10, 1 << 40).unwrap();
    assert!(size.buffer_bytes > 1 << 50 && size.parameters > 10_000_000_000, "{size:?}");
    assert!(Network::<f32>::size(&"lenet".parse().unwrap(), ImageShape::new(1, 1, 1), 10, 7).is_err());
}

/// Over a few steps, with momenta of the statistics and random layers; and it pays.
#[test]
fn activations_that_are_computed_again_have_the_same_bits_and_take_less_memory() {
    let image = Shape::new(12, 12, 1);
    for name in ["lenet", "resnet-20", "wrn-16-1-projection"].into_iter().chain(ZOO) {
        let architecture: Architecture = name.parse().unwrap();
        let run = |activations| {
            let description = architecture.describe(image, 10).unwrap();
            let mut network = Network::<f32>::build_with(&description, 9, 2, activations).unwrap();
            let size = Network::<f32>::size_with(&architecture, image, 10, 9, activations).unwrap();
            assert_eq!(size.buffer_bytes, network.buffer_bytes() as u128);
            network.set_batch(images(9, image, 1).view(), &labels(9, 10)).unwrap();
            network.set_random(Some(RANDOM));
            let mut w = parameters(&network, 2);
            let mut g = vec![0.0; w.len()];
            for pass in [Pass::Clean, Pass::Perturbed, Pass::Clean] {
                network.gradient(&w, &mut g, pass).unwrap();
                w.iter_mut().zip(&g).for_each(|(w, g)| *w -= 0.01 * g);
            }
            let found = [&w[..], network.statistics()].concat();
            (found.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), network.buffer_bytes())
        };
        let (kept, again) = (run(Activations::Kept), run(Activations::Recomputed));
        assert!(kept.0 == again.0, "{name}");
        assert!(again.1 <= kept.1, "{name}: {} instead of {}", again.1, kept.1);
    }
    let bytes = |activations| {
        let network = "pyramidnet-272-200-shakedrop".parse().unwrap();
        Network::<f32>::size_with(&network, Shape::new(32, 32, 3), 10, 32, activations).unwrap().buffer_bytes
    };
    let [kept, again] = [bytes(Activations::Kept), bytes(Activations::Recomputed)];
    assert!(3 * again < kept && again < 3 << 30, "{again} of {kept} bytes");
}

/// A filter of 3x3 with stride 2 meets an image of one pixel with some of its taps only.
#[test]
fn images_shrink_to_one_pixel() {
    for model in ["resnet-8", "wrn-10-1-projection"].into_iter().chain(ZOO) {
        let image = ImageShape::new(2, 2, 1);
        for batch in [1, 2, 9] {
            let mut network = network(model, image, batch, 1);
            let w = parameters(&network, 0);
            let mut g = vec![f32::NAN; w.len()];
            network.set_batch(images(batch, image, 2).view(), &labels(batch, 10)).unwrap();
            assert!(network.gradient(&w, &mut g, Pass::Clean).unwrap().is_finite());
            assert!(g.iter().all(|g| g.is_finite()), "{model}, batch {batch}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let image = Shape::new(8, 8, 1);
    let mut network = network("lenet", image, 4, 1);
    let x = images(4, image, 0);
    let mut g = vec![0.0; network.parameter_count()];
    let w = network.initial_parameters(0);
    assert_eq!(network.gradient(&w, &mut g, Pass::Clean), Err(BatchError::NoBatch));
    assert_eq!(
        network.set_batch(x.slice(s![.., ..7, .., ..]), &[0; 4]),
        Err(BatchError::Images { expected: [8, 8, 1], found: [4, 7, 8, 1] })
    );
    assert_eq!(network.set_batch(x.view(), &[0; 3]), Err(BatchError::Labels { expected: 4, found: 3 }));
    assert_eq!(
        network.set_batch(x.view(), &[0, 1, 10, 2]),
        Err(BatchError::Label { classes: 10, found: 10, sample: 2 })
    );
    assert_eq!(
        network.set_batch(images(5, image, 0).view(), &[0; 5]),
        Err(BatchError::Samples { most: 4, found: 5 })
    );
    network.set_batch(x.view(), &[0; 4]).unwrap();
    let short = network.gradient(&w[1..], &mut g, Pass::Clean);
    assert_eq!(short, Err(BatchError::Length { what: "parameters", expected: w.len(), found: w.len() - 1 }));

    let build = |name: &str, image, classes, batch| {
        Network::<f32>::new(&name.parse().unwrap(), image, classes, batch, 1).err()
    };
    let small = build("lenet", Shape::new(3, 3, 1), 10, 4);
    assert!(matches!(small, Some(NetworkError::Description(DescriptionError::Shape { .. }))));
    let one = build("mlp", image, 1, 4);
    assert!(matches!(one, Some(NetworkError::Description(DescriptionError::Classes(1)))));
    assert!(matches!(build("mlp", image, 10, 0), Some(NetworkError::EmptyBatch)));
    assert!(matches!(
        build("wrn-28-10-projection", Shape::new(224, 224, 3), 10, 4096),
        Some(NetworkError::TooLarge(_))
    ));
}

#[test]
fn a_network_takes_as_many_threads_as_its_work_is_worth() {
    let image = ImageShape::new(28, 28, 1);
    let worth = |name: &str, batch| {
        let description = name.parse::<Architecture>().unwrap().describe(image, 10).unwrap();
        let worth = Network::<f32>::worthwhile_threads(&description, batch);
        let count = Network::<f32>::build(&description, batch, 0).unwrap().threads().count();
        assert!(count <= worth, "{name}: {count} threads, worth {worth}");
        assert_eq!(Network::<f32>::build(&description, batch, 3).unwrap().threads().count(), 3);
        worth
    };
    assert_eq!(worth("mlp-50-30", 16), 1);
    assert!(worth("mlp", 128) >= 2);
    assert!(worth("lenet", 128) > worth("lenet", 16));
}
