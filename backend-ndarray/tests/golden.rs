//! Networks and SAM steps against PyTorch: `golden/pytorch.py` and `golden/zoo.py` made the numbers and say what they are.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::HashMap, fmt::Display};

use ndarray::{Array2, Array4};
use sam_backend_ndarray::{Network, Random, Scalar};
use sam_core::{GradientOracle, Pass, Real, Rule, Sam, Sgd, SliceSpace, WeightDecay};
use sam_model::{
    ImageShape, TensorInfo,
    random::{BackwardCoefficients, Key},
};

const GOLDEN: [&str; 2] = [include_str!("golden/pytorch.csv"), include_str!("golden/zoo.csv")];
/// What random layers draw from.
const KEY: Key = Key([11, 8, 5]);
const BATCH: usize = 6;

/// Element `i` of the sequence that all inputs come from.
fn sequence(i: usize) -> f64 {
    ((i * i % 1999 * 7919 + i * 104_729) % 2003) as f64 / 2003.0 - 0.5
}

/// Norm and inner product with a fixed vector of each quantity of a network, by name.
fn golden(network: &str) -> HashMap<&'static str, [f64; 2]> {
    let lines = GOLDEN.iter().flat_map(|file| file.lines().skip(1));
    let rows = lines.map(|line| line.split(',').collect::<Vec<_>>());
    let of_network = rows.filter(|row| row[0] == network);
    of_network.map(|row| (row[1], [row[2].parse().unwrap(), row[3].parse().unwrap()])).collect()
}

struct Check {
    golden: HashMap<&'static str, [f64; 2]>,
    tolerance: f64,
    seen: usize,
}

impl Check {
    fn equal<T: Scalar>(&mut self, quantity: impl Display, values: &[T]) {
        let quantity = quantity.to_string();
        let values = || values.iter().map(|&value| value.value());
        let [norm, product] = self.golden[quantity.as_str()];
        // What the inner product may lose: an error of the tolerance in every direction.
        let weights = (0..values().count()).map(|i| sequence(17 + i));
        let reach = weights.clone().map(|v| v * v).sum::<f64>().sqrt();
        let found =
            [values().map(|v| v * v).sum::<f64>().sqrt(), values().zip(weights).map(|(v, w)| v * w).sum()];
        let most = self.tolerance * norm.max(1e-3);
        assert!((found[0] - norm).abs() <= most, "{quantity}: norm {} instead of {norm}", found[0]);
        assert!((found[1] - product).abs() <= most * reach, "{quantity}: {} instead of {product}", found[1]);
        self.seen += 1;
    }

    fn tensors<T: Scalar>(&mut self, kind: &str, tensors: &[TensorInfo], values: &[T]) {
        for tensor in tensors {
            self.equal(format_args!("{kind}.{}", tensor.name), &values[tensor.range.clone()]);
        }
    }
}

fn parameters<T: Scalar>(tensors: &[TensorInfo]) -> Vec<T> {
    let tensors = tensors.iter().flat_map(|tensor| {
        let fan_in: usize = tensor.shape.split_last().unwrap().1.iter().product();
        let (name, range) = (tensor.name.clone(), tensor.range.clone());
        range.map(move |i| {
            let v = sequence(i);
            T::of(if name.ends_with(".weight") {
                v * (12.0 / fan_in as f64).sqrt()
            } else if name.ends_with(".scale") {
                1.0 + 0.2 * v
            } else {
                0.2 * v
            })
        })
    });
    tensors.collect()
}

fn equals_pytorch<T: Scalar + Real>(name: &str, image: ImageShape, steps: usize, tolerance: f64) {
    let mut check = Check { golden: golden(name), tolerance, seen: 0 };
    let mut network = Network::<T>::new(&name.parse().unwrap(), image, 10, BATCH, 2).unwrap();
    let (height, width, channels) = (image.height, image.width, image.channels);
    let images = Array4::from_shape_fn((BATCH, height, width, channels), |(n, y, x, c)| {
        T::of(sequence(5 + ((n * height + y) * width + x) * channels + c) * 4.0)
    });
    let labels: Vec<u16> = (0..BATCH as u16).map(|i| i * 7 % 10).collect();
    let mut w = parameters::<T>(network.tensors());
    let mut g = vec![T::zero(); w.len()];

    let mut logits = Array2::zeros((BATCH, 10));
    network.logits(&w, images.view(), logits.view_mut()).unwrap();
    check.equal("logits", logits.as_slice().unwrap());

    network.set_batch(images.view(), &labels).unwrap();
    let random = |backward| Some(Random { key: KEY, first: 0, backward });
    network.set_random(random(BackwardCoefficients::Forward));
    let statistics = network.statistics().to_vec();
    network.gradient(&w, &mut g, Pass::Perturbed).unwrap();
    assert_eq!(network.statistics(), statistics, "the perturbed pass leaves running statistics alone");
    check.tensors("gradient", network.tensors(), &g);

    let base = Sgd::new(T::of(0.05))
        .with_momentum(T::of(0.9), vec![T::zero(); w.len()])
        .with_nesterov()
        .with_decay(WeightDecay::Coupled(T::of(5e-4)));
    let mut sam = Sam::new(SliceSpace::new(vec![T::zero(); w.len()]), Rule::l2(T::of(0.1)), base);
    network.set_random(random(BackwardCoefficients::FreshWhenPerturbed));
    for step in 0..steps {
        let losses = sam.step(&mut w[..], &mut g[..], &mut network).unwrap();
        check.equal(format_args!("loss{step}"), &[losses.clean]);
        check.equal(format_args!("perturbed{step}"), &[losses.perturbed.unwrap()]);
    }
    check.tensors("weights", network.tensors(), &w);
    for tensor in network.statistic_tensors() {
        let (layer, statistic) = tensor.name.rsplit_once('.').unwrap();
        let values = &network.statistics()[tensor.range.clone()];
        check.equal(format_args!("{}.{layer}", statistic.trim_start_matches("running_")), values);
    }
    assert_eq!(check.seen, check.golden.len(), "every number of PyTorch's is compared");
}

macro_rules! networks {
    ($($test:ident: $name:literal, $image:expr;)*) => {$(
        #[test]
        fn $test() {
            // In f64 what is left is rounding; the weights come after three steps of SAM.
            equals_pytorch::<f64>($name, $image, 3, 1e-11);
            equals_pytorch::<f32>($name, $image, 3, 1e-5);
        }
    )*};
}

networks! {
    lenet_equals_pytorch: "lenet", ImageShape::new(12, 12, 1);
    resnet_equals_pytorch: "resnet-8", ImageShape::new(10, 10, 3);
    wide_resnet_equals_pytorch: "wrn-10-2-projection", ImageShape::new(11, 11, 2);
}

macro_rules! zoo {
    ($($test:ident: $name:literal, $extent:literal;)*) => {$(
        #[test]
        fn $test() {
            equals_pytorch::<f64>($name, ImageShape::new($extent, $extent, 3), 1, 1e-10);
        }
    )*};
}

zoo! {
    zero_padded_wide_resnet_equals_pytorch: "wrn-10-1", 10;
    wide_resnet_without_norms_equals_pytorch: "wrn-10-1-nobn", 10;
    resnet_without_shortcuts_equals_pytorch: "resnet-8-noshort", 10;
    shake_shake_equals_pytorch: "shake-shake-8-2x4d", 10;
    pyramidnet_with_shake_drop_equals_pytorch: "pyramidnet-11-8-shakedrop", 10;
    imagenet_resnet_equals_pytorch: "resnet-50-w2", 70;
    efficientnet_equals_pytorch: "efficientnet-b0", 40;
    efficientnet_lite_equals_pytorch: "efficientnet-lite0", 40;
}
