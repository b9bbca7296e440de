//! Products with the Hessian by dual numbers: every kind of layer against central differences of its `f64` gradient, and
//! what no difference could show.

use ndarray::Array4;
use proptest::prelude::*;
use sam_backend_ndarray::{BatchError, Dual64, ForwardOverReverse, Random};
use sam_core::{GradientOracle, HessianVector, Pass};
use sam_model::{
    Architecture, Description, DescriptionError, Graph, ImageShape, Op, Padding, Shape, Tensor,
    random::{BackwardCoefficients, Key},
};

use super::support::{CLASSES, described_network, network, noise, push};

type Describe<'a> = &'a dyn Fn(&mut Graph) -> Result<Tensor, DescriptionError>;

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn length(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// How far the product is from central differences, and from being symmetric; both relative.
fn errors(description: &Description, samples: usize) -> [f64; 2] {
    let mut plain = described_network::<f64>(description, samples);
    let mut hessian = ForwardOverReverse::new(described_network::<Dual64>(description, samples));
    // With coefficients of its own for the backward pass a gradient is none of any loss.
    let random = Random { key: Key([1, 2, 3]), first: 0, backward: BackwardCoefficients::Forward };
    plain.set_random(Some(random));
    hessian.inner.set_random(Some(random));
    // Everything off its starting value, so that scales, shifts and biases matter.
    let w: Vec<f64> = plain.initial_parameters(3).iter().zip(noise(2)).map(|(w, n)| w + 0.3 * n).collect();
    let count = w.len();
    let [u, v] = [4, 5].map(|seed| noise(seed).take(count).collect::<Vec<f64>>());
    let zeros = || vec![0.0; count];

    let (mut g, mut of_duals) = (zeros(), zeros());
    let loss = plain.gradient(&w, &mut g, Pass::Clean).unwrap();
    let loss_of_duals = hessian.gradient(&w, &mut of_duals, Pass::Clean).unwrap();
    assert!((loss - loss_of_duals).abs() < 1e-13 * loss.abs(), "the values of duals are those of f64");
    let apart: Vec<f64> = g.iter().zip(&of_duals).map(|(a, b)| a - b).collect();
    assert!(length(&apart) < 1e-13 * length(&g), "the values of duals are those of f64");

    let (mut hu, mut hv) = (zeros(), zeros());
    hessian.hessian_vector(&w, &u, &mut hu).unwrap();
    hessian.hessian_vector(&w, &v, &mut hv).unwrap();
    assert!(length(&hv) > 1e-3, "the test needs curvature");
    let step = 1e-6;
    let mut at = |step: f64| {
        let point: Vec<f64> = w.iter().zip(&v).map(|(w, v)| w + step * v).collect();
        let mut g = zeros();
        plain.gradient(&point, &mut g, Pass::Perturbed).unwrap();
        g
    };
    let (above, below) = (at(step), at(-step));
    let apart: Vec<f64> =
        hv.iter().zip(above.iter().zip(below)).map(|(hv, (a, b))| hv - (a - b) / (2.0 * step)).collect();
    let asymmetry = (dot(&u, &hv) - dot(&v, &hu)).abs() / (length(&u) * length(&hv));
    [length(&apart) / length(&hv), asymmetry]
}

fn check(name: &str, image: ImageShape, samples: usize, describe: Describe<'_>) {
    check_described(name, samples, &Description::new(image, CLASSES, describe).unwrap());
}

fn check_described(name: &str, samples: usize, description: &Description) {
    let [difference, asymmetry] = errors(description, samples);
    assert!(difference < 1e-7, "{name}: {difference} from central differences");
    assert!(asymmetry < 1e-10, "{name}: {asymmetry} from being symmetric");
}

const fn conv(channels: usize, kernel: usize, stride: usize, padding: usize) -> Op {
    let padding = Padding::Explicit(padding);
    Op::Conv { channels, kernel, stride, padding, groups: 1, bias: true }
}

/// A convolution, what `between` adds, and two dense layers: their product is what has curvature without a ReLU.
fn around(
    graph: &mut Graph,
    channels: usize,
    between: impl FnOnce(&mut Graph, Tensor) -> Result<Tensor, DescriptionError>,
) -> Result<Tensor, DescriptionError> {
    let x = push(graph, "stem", conv(channels, 3, 1, 1), &[Tensor::INPUT])?;
    let x = between(graph, x)?;
    let x = push(graph, "flatten", Op::Flatten, &[x])?;
    let x = push(graph, "hidden", Op::Dense { outputs: 5 }, &[x])?;
    push(graph, "head", Op::Dense { outputs: CLASSES }, &[x])
}

#[test]
fn one_layer_of_each_kind() {
    let same = Padding::Same;
    let grouped =
        |channels, groups| Op::Conv { channels, kernel: 3, stride: 2, padding: same, groups, bias: true };
    let layers: [(&str, usize, Op); 22] = [
        ("relu", 4, Op::Relu),
        ("swish", 4, Op::Swish),
        ("max pool", 4, Op::MaxPool { size: 2, stride: 2, padding: Padding::Explicit(0) }),
        ("average pool", 4, Op::AvgPool { size: 2, stride: 2, padding: Padding::Explicit(0) }),
        ("global average pool", 4, Op::GlobalAvgPool),
        ("batch normalisation", 4, Op::BATCH_NORM),
        ("convolution", 4, conv(3, 3, 1, 1)),
        ("strided convolution", 4, conv(3, 3, 2, 1)),
        ("one by one", 4, conv(5, 1, 1, 0)),
        ("minimal filtering", 8, conv(16, 3, 1, 1)),
        ("depthwise", 4, grouped(4, 4)),
        ("grouped", 4, grouped(6, 2)),
        ("asymmetric padding", 4, grouped(3, 1)),
        ("sigmoid", 4, Op::Sigmoid),
        ("relu6", 4, Op::Relu6),
        ("padded max pool", 4, Op::MaxPool { size: 3, stride: 2, padding: same }),
        ("padded average pool", 4, Op::AvgPool { size: 2, stride: 2, padding: same }),
        ("subsample", 4, Op::Subsample { stride: 2, shift: 1 }),
        ("zeros as channels", 4, Op::PadChannels { channels: 6 }),
        ("dropout", 4, Op::Dropout { rate: 0.4 }),
        ("drop-connect", 4, Op::DropConnect { rate: 0.4 }),
        ("shake-drop", 4, Op::ShakeDrop { keep: 0.4 }),
    ];
    for (name, channels, op) in layers {
        check(name, Shape::new(6, 5, 2), 5, &|g| around(g, channels, |g, x| push(g, "layer", op, &[x])));
    }
}

#[test]
fn one_layer_of_each_kind_with_two_inputs() {
    for (name, op) in [("concat", Op::Concat), ("scale", Op::Scale), ("shake-shake", Op::ShakeShake)] {
        check(name, Shape::new(5, 4, 2), 5, &|g| {
            around(g, 4, |g, x| {
                let mut y = push(g, "conv", conv(4, 3, 1, 1), &[x])?;
                if op == Op::Scale {
                    let pooled = push(g, "pool", Op::GlobalAvgPool, &[y])?;
                    y = push(g, "sigmoid", Op::Sigmoid, &[pooled])?;
                }
                push(g, "layer", op, &[x, y])
            })
        });
    }
}

#[test]
fn normalisation_with_its_relu_around_a_residual_connection() {
    check("residual", Shape::new(5, 4, 2), 6, &|g| {
        around(g, 4, |g, x| {
            let y = push(g, "norm", Op::BATCH_NORM, &[x])?;
            let y = push(g, "relu", Op::Relu, &[y])?;
            let y = push(g, "conv", conv(4, 3, 1, 1), &[y])?;
            let y = push(g, "norm2", Op::BATCH_NORM, &[y])?;
            let x = push(g, "add", Op::Add, &[y, x])?;
            push(g, "relu2", Op::Relu, &[x])
        })
    });
}

#[test]
fn architectures() {
    for (name, image) in [
        ("mlp-9-7", Shape::new(4, 4, 1)),
        ("lenet", Shape::new(8, 8, 1)),
        ("resnet-8", Shape::new(5, 6, 1)),
        ("wrn-10-1-projection", Shape::new(5, 4, 2)),
    ] {
        let architecture: Architecture = name.parse().unwrap();
        check_described(name, 4, &architecture.describe(image, CLASSES).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn convolutions_and_pools_of_any_shape(
        (height, width, samples) in (4usize..8, 4usize..8, 1usize..4),
        (kernel, stride, padding) in (1usize..4, 1usize..3, 0usize..3),
        (size, by, max) in (1usize..3, 1usize..3, any::<bool>()),
    ) {
        prop_assume!(padding < kernel && (height.min(width) + 2 * padding - kernel) / stride + 1 >= size);
        let pool = if max { Op::MaxPool { size, stride: by, padding: Padding::Explicit(0) } } else { Op::AvgPool { size, stride: by, padding: Padding::Explicit(0) } };
        let description = Description::new(Shape::new(height, width, 2), CLASSES, |g| {
            around(g, 3, |g, x| {
                let x = push(g, "conv", conv(4, kernel, stride, padding), &[x])?;
                push(g, "pool", pool, &[x])
            })
        });
        let [difference, asymmetry] = errors(&description.unwrap(), samples);
        prop_assert!(difference < 1e-7, "{} from central differences", difference);
        prop_assert!(asymmetry < 1e-10, "{} from being symmetric", asymmetry);
    }
}

/// On images of zeros every unit of a first layer without shift stands on its kink, where the gradient is that of a
/// constant: no curvature may come from there.
#[test]
fn a_unit_at_its_kink_is_a_constant() {
    let image = Shape::new(2, 2, 1);
    let describe: Describe<'_> = &|g| {
        let x = push(
            g,
            "conv",
            Op::Conv {
                channels: 4,
                kernel: 1,
                stride: 1,
                padding: Padding::Explicit(0),
                groups: 1,
                bias: true,
            },
            &[Tensor::INPUT],
        )?;
        let x = push(g, "relu", Op::Relu, &[x])?;
        let x = push(g, "flatten", Op::Flatten, &[x])?;
        push(g, "head", Op::Dense { outputs: CLASSES }, &[x])
    };
    let mut dead = network::<Dual64>(image, 2, describe);
    dead.set_batch(Array4::from_elem((2, 2, 2, 1), Dual64::from_re(0.0)).view(), &[0, 1]).unwrap();
    let w: Vec<f64> = dead.initial_parameters(0).iter().map(|w| w.re).collect();
    let shift = dead.tensors().iter().find(|s| s.name == "conv.bias").unwrap().range.clone();
    assert!(w[shift.clone()].iter().all(|&w| w == 0.0), "the units stand at 0");
    let mut v = vec![0.0; w.len()];
    v[shift].fill(1.0);
    let mut product = vec![f64::NAN; w.len()];
    ForwardOverReverse::new(dead).hessian_vector(&w, &v, &mut product).unwrap();
    assert!(product.iter().all(|&x| x == 0.0), "{product:?}");
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let image = Shape::new(2, 2, 1);
    let describe: Describe<'_> = &|g| {
        let x = push(g, "flatten", Op::Flatten, &[Tensor::INPUT])?;
        push(g, "head", Op::Dense { outputs: CLASSES }, &[x])
    };
    let mut hessian = ForwardOverReverse::new(network::<Dual64>(image, 2, describe));
    let mut product = |params: usize, vector: usize, out: usize| {
        hessian.hessian_vector(&vec![0.0; params], &vec![0.0; vector], &mut vec![0.0; out])
    };
    assert_eq!(product(15, 15, 15), Ok(()));
    for (params, vector, out) in [(14, 15, 15), (15, 14, 15), (15, 15, 14), (16, 16, 15)] {
        let found = product(params, vector, out);
        assert!(matches!(found, Err(BatchError::Length { .. })), "{params} {vector} {out}: {found:?}");
    }
}
