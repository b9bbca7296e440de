//! Every layer's gradient against the CPU backend's in f64.

use proptest::prelude::*;
use sam_backend_cuda::{CudaNetwork, DeviceVec};
use sam_model::{Description, DescriptionError, Graph, Name, Op, Padding, Shape, Tensor};

use crate::{
    support::{config, device},
    twins::{assert_twins_agree, noise},
};

const CLASSES: usize = 3;
/// Sums of some thousand terms in f32, some of which cancel; a wrong index is off by a hundred times as much at least.
const TOLERANCE: f64 = 1e-4;
/// Behind a normalisation, which takes the mean away.
const NORMALISED: f64 = 2e-4;

/// Operations one after the other, then a dense layer on the flattened result.
fn chain(image: Shape, ops: &[Op]) -> Description {
    described(image, |graph| {
        let layers = ops.iter().enumerate().map(|(i, &op)| (Name::numbered("op", i), op));
        let x = graph.chain(Tensor::INPUT, layers)?;
        head(graph, x)
    })
}

fn described(
    image: Shape,
    describe: impl FnOnce(&mut Graph) -> Result<Tensor, DescriptionError>,
) -> Description {
    Description::new(image, CLASSES, describe).unwrap()
}

fn head(graph: &mut Graph, x: Tensor) -> Result<Tensor, DescriptionError> {
    graph.chain(x, [("flatten", Op::Flatten), ("head", Op::Dense { outputs: CLASSES })])
}

const fn conv(channels: usize, kernel: usize, stride: usize, padding: usize, bias: bool) -> Op {
    Op::Conv { channels, kernel, stride, padding: Padding::Explicit(padding), groups: 1, bias }
}

#[test]
fn dense_layers() {
    let Some(turn) = device("dense_layers") else { return };
    for (inputs, outputs, samples) in [(30, 19, 5), (7, 70, 66), (600, 3, 2)] {
        let network = chain(Shape::vector(inputs), &[Op::Dense { outputs }, Op::Relu]);
        assert_twins_agree(&turn, &network, samples, TOLERANCE);
    }
}

/// Two convolutions, so that the second's input gradient counts, of every shape that the forward pass takes.
#[test]
fn convolutions() {
    let Some(turn) = device("convolutions") else { return };
    let cases = (
        (3usize..8, 3usize..8, 1usize..4),
        (1usize..4, 1usize..4, 0usize..3),
        (1usize..40, any::<bool>(), 1usize..4),
    );
    proptest!(config(24), |((extents, geometry, (outputs, bias, samples)) in cases)| {
        let ((height, width, channels), (kernel, stride, padding)) = (extents, geometry);
        prop_assume!(padding < kernel);
        let ops = [conv(5, 3, 1, 1, false), conv(outputs, kernel, stride, padding, bias)];
        let network = chain(Shape::new(height, width, channels), &ops);
        assert_twins_agree(&turn, &network, samples, TOLERANCE);
    });
}

/// Large enough for the wide tiles of all three products, and for a weight gradient in slices.
#[test]
fn wide_convolutions() {
    let Some(turn) = device("wide_convolutions") else { return };
    let network = chain(Shape::new(12, 11, 2), &[conv(50, 3, 1, 1, true), conv(52, 3, 1, 1, false)]);
    assert_twins_agree(&turn, &network, 4, TOLERANCE);
}

#[test]
fn pools() {
    let Some(turn) = device("pools") else { return };
    let cases = ((4usize..8, 4usize..8), (1usize..4, 1usize..4), any::<bool>());
    proptest!(config(16), |(((height, width), (size, stride), max) in cases)| {
        let pool = if max { Op::MaxPool { size, stride, padding: Padding::Explicit(0) } } else { Op::AvgPool { size, stride, padding: Padding::Explicit(0) } };
        let ops = [conv(3, 3, 1, 1, true), pool, conv(2, 1, 1, 0, true)];
        assert_twins_agree(&turn, &chain(Shape::new(height, width, 2), &ops), 3, TOLERANCE);
    });
}

/// Wherever a NaN stands in a window, it is the window's largest value.
#[test]
fn a_nan_passes_through_pools() {
    let Some(turn) = device("a_nan_passes_through_pools") else { return };
    let image = Shape::new(4, 4, 1);
    let description = chain(image, &[Op::MaxPool { size: 2, stride: 2, padding: Padding::Explicit(0) }]);
    let mut network = CudaNetwork::build(&turn.device, &description, 1).unwrap();
    let params = DeviceVec::from_slice(&turn.device, &network.initial_parameters(0)).unwrap();
    for pixel in 0..image.len() {
        let mut values: Vec<f32> = noise(1).take(image.len()).collect();
        assert!(network.evaluate(&params, &values, &[0]).unwrap().loss.is_finite());
        values[pixel] = f32::NAN;
        assert!(network.evaluate(&params, &values, &[0]).unwrap().loss.is_nan(), "pixel {pixel}");
    }
}

#[test]
fn batch_norm_with_and_without_relu() {
    let Some(turn) = device("batch_norm_with_and_without_relu") else { return };
    for relu in [false, true] {
        for (samples, channels) in [(6, 5), (2, 40), (48, 3)] {
            let mut ops = vec![conv(channels, 3, 1, 1, true), Op::BATCH_NORM];
            if relu {
                ops.push(Op::Relu);
            }
            ops.extend([
                conv(3, 3, 2, 1, false),
                Op::BATCH_NORM,
                Op::AvgPool { size: 2, stride: 1, padding: Padding::Explicit(0) },
            ]);
            assert_twins_agree(&turn, &chain(Shape::new(4, 3, 2), &ops), samples, NORMALISED);
        }
    }
}

/// A block on a tensor that others may read too.
type Block = fn(&mut Graph, Tensor) -> Result<Tensor, DescriptionError>;

/// Each way a tensor can be read by several: nothing may be overwritten or counted twice.
#[test]
fn residual_connections() {
    let Some(turn) = device("residual_connections") else { return };
    let blocks: [(&str, Block); 9] = [
        ("identity around one convolution", |g, x| {
            let y = g.push("conv", conv(4, 3, 1, 1, false), &[x])?;
            g.push("add", Op::Add, &[y, x])
        }),
        ("identity first", |g, x| {
            let y = g.push("conv", conv(4, 3, 1, 1, false), &[x])?;
            g.push("add", Op::Add, &[x, y])
        }),
        ("both branches with weights", |g, x| {
            let y = g.push("a", conv(4, 3, 1, 1, false), &[x])?;
            let z = g.push("b", conv(4, 1, 1, 0, false), &[x])?;
            g.push("add", Op::Add, &[y, z])
        }),
        ("a ReLU with two readers", |g, x| {
            let x = g.push("relu", Op::Relu, &[x])?;
            let y = g.push("conv", conv(4, 3, 1, 1, true), &[x])?;
            let y = g.push("relu2", Op::Relu, &[y])?;
            g.push("add", Op::Add, &[y, x])
        }),
        ("an input of ReLU with two readers", |g, x| {
            let y = g.push("relu", Op::Relu, &[x])?;
            let y = g.push("conv", conv(4, 3, 1, 1, true), &[y])?;
            g.push("add", Op::Add, &[y, x])
        }),
        ("a tensor added to itself", |g, x| g.push("add", Op::Add, &[x, x])),
        ("a reader after the branch", |g, x| {
            let y = g.push("a", conv(4, 3, 1, 1, false), &[x])?;
            let z = g.push("b", conv(4, 3, 1, 1, false), &[x])?;
            let s = g.push("add", Op::Add, &[y, x])?;
            g.push("add2", Op::Add, &[s, z])
        }),
        ("a normalisation with two readers", |g, x| {
            let x = g.push("norm", Op::BATCH_NORM, &[x])?;
            let y = g.push("relu", Op::Relu, &[x])?;
            g.push("add", Op::Add, &[x, y])
        }),
        ("a rectified sum", |g, x| {
            let y = g.push("norm", Op::BATCH_NORM, &[x])?;
            let y = g.push("add", Op::Add, &[y, x])?;
            let y = g.push("relu", Op::Relu, &[y])?;
            let z =
                g.push("pool", Op::MaxPool { size: 1, stride: 1, padding: Padding::Explicit(0) }, &[y])?;
            g.push("add2", Op::Add, &[z, y])
        }),
    ];
    for (name, block) in blocks {
        println!("{name}");
        let network = described(Shape::new(4, 5, 2), |graph| {
            let x = graph.push("stem", conv(4, 3, 1, 1, true), &[Tensor::INPUT])?;
            let x = block(graph, x)?;
            head(graph, x)
        });
        assert_twins_agree(&turn, &network, 3, NORMALISED);
    }
}
