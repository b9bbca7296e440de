//! Every layer's gradient against the CPU backend's in f64.

use proptest::prelude::*;
use sam_backend_cuda::{CudaNetwork, DeviceVec};
use sam_model::{Graph, Name, Op, Shape, Tensor};

use crate::{
    support::{config, device},
    twins::{Describe, assert_twins_agree, noise},
};

const CLASSES: usize = 3;
/// Sums of some thousand terms in f32, some of which cancel; a wrong index is off by a hundred times as much at least.
const TOLERANCE: f64 = 1e-4;
/// Behind a normalisation, which takes the mean away.
const NORMALISED: f64 = 2e-4;

/// Operations one after the other, then a dense layer on the flattened result.
struct Chain(Vec<Op>);

impl Describe for Chain {
    fn describe<G: Graph>(&self, graph: &mut G) -> Result<Tensor, G::Error> {
        let mut x = Tensor::INPUT;
        for (i, &op) in self.0.iter().enumerate() {
            x = graph.push(Name::numbered("op", i), op, &[x])?;
        }
        head(graph, x)
    }
}

fn head<G: Graph>(graph: &mut G, x: Tensor) -> Result<Tensor, G::Error> {
    let x = graph.push(Name::new("flatten"), Op::Flatten, &[x])?;
    graph.push(Name::new("head"), Op::Dense { outputs: CLASSES }, &[x])
}

const fn conv(channels: usize, kernel: usize, stride: usize, padding: usize, bias: bool) -> Op {
    Op::Conv { channels, kernel, stride, padding, bias }
}

#[test]
fn dense_layers() {
    let Some(turn) = device("dense_layers") else { return };
    for (inputs, outputs, samples) in [(30, 19, 5), (7, 70, 66), (600, 3, 2)] {
        let chain = Chain(vec![Op::Dense { outputs }, Op::Relu]);
        assert_twins_agree(&turn, Shape::vector(inputs), CLASSES, samples, &chain, TOLERANCE);
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
        let chain = Chain(vec![conv(5, 3, 1, 1, false), conv(outputs, kernel, stride, padding, bias)]);
        assert_twins_agree(&turn, Shape::new(height, width, channels), CLASSES, samples, &chain, TOLERANCE);
    });
}

/// Large enough for the wide tiles of all three products, and for a weight gradient in slices.
#[test]
fn wide_convolutions() {
    let Some(turn) = device("wide_convolutions") else { return };
    let chain = Chain(vec![conv(50, 3, 1, 1, true), conv(52, 3, 1, 1, false)]);
    assert_twins_agree(&turn, Shape::new(12, 11, 2), CLASSES, 4, &chain, TOLERANCE);
}

#[test]
fn pools() {
    let Some(turn) = device("pools") else { return };
    let cases = ((4usize..8, 4usize..8), (1usize..4, 1usize..4), any::<bool>());
    proptest!(config(16), |(((height, width), (size, stride), max) in cases)| {
        let pool = if max { Op::MaxPool { size, stride } } else { Op::AvgPool { size, stride } };
        let chain = Chain(vec![conv(3, 3, 1, 1, true), pool, conv(2, 1, 1, 0, true)]);
        assert_twins_agree(&turn, Shape::new(height, width, 2), CLASSES, 3, &chain, TOLERANCE);
    });
}

/// Wherever a NaN stands in a window, it is the window's largest value.
#[test]
fn a_nan_passes_through_pools() {
    let Some(turn) = device("a_nan_passes_through_pools") else { return };
    let image = Shape::new(4, 4, 1);
    let chain = Chain(vec![Op::MaxPool { size: 2, stride: 2 }]);
    let mut network = CudaNetwork::build(&turn.device, image, CLASSES, 1, |g| chain.describe(g)).unwrap();
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
            let mut ops = vec![conv(channels, 3, 1, 1, true), Op::BatchNorm];
            if relu {
                ops.push(Op::Relu);
            }
            ops.extend([conv(3, 3, 2, 1, false), Op::BatchNorm, Op::AvgPool { size: 2, stride: 1 }]);
            assert_twins_agree(&turn, Shape::new(4, 3, 2), CLASSES, samples, &Chain(ops), NORMALISED);
        }
    }
}

/// A block on a tensor that others may read too.
struct Block(fn(&mut dyn Pushing, usize) -> usize);

/// [`Graph`] without its type parameters: numbers of tensors.
trait Pushing {
    fn push(&mut self, name: &'static str, op: Op, inputs: &[usize]) -> usize;
}

struct Pusher<'a, G: Graph>(&'a mut G, Option<G::Error>);

impl<G: Graph> Pushing for Pusher<'_, G> {
    fn push(&mut self, name: &'static str, op: Op, inputs: &[usize]) -> usize {
        let inputs: Vec<Tensor> = inputs.iter().map(|&x| Tensor(x)).collect();
        match self.0.push(Name::new(name), op, &inputs) {
            Ok(tensor) => tensor.0,
            Err(error) => {
                self.1 = Some(error);
                0
            }
        }
    }
}

impl Describe for Block {
    fn describe<G: Graph>(&self, graph: &mut G) -> Result<Tensor, G::Error> {
        let x = graph.push(Name::new("stem"), conv(4, 3, 1, 1, true), &[Tensor::INPUT])?;
        let mut pusher = Pusher(graph, None);
        let x = (self.0)(&mut pusher, x.0);
        match pusher.1 {
            Some(error) => Err(error),
            None => head(graph, Tensor(x)),
        }
    }
}

/// Each way a tensor can be read by several: nothing may be overwritten or counted twice.
#[test]
fn residual_connections() {
    let Some(turn) = device("residual_connections") else { return };
    let blocks: [(&str, Block); 9] = [
        (
            "identity around one convolution",
            Block(|g, x| {
                let y = g.push("conv", conv(4, 3, 1, 1, false), &[x]);
                g.push("add", Op::Add, &[y, x])
            }),
        ),
        (
            "identity first",
            Block(|g, x| {
                let y = g.push("conv", conv(4, 3, 1, 1, false), &[x]);
                g.push("add", Op::Add, &[x, y])
            }),
        ),
        (
            "both branches with weights",
            Block(|g, x| {
                let y = g.push("a", conv(4, 3, 1, 1, false), &[x]);
                let z = g.push("b", conv(4, 1, 1, 0, false), &[x]);
                g.push("add", Op::Add, &[y, z])
            }),
        ),
        (
            "a ReLU with two readers",
            Block(|g, x| {
                let x = g.push("relu", Op::Relu, &[x]);
                let y = g.push("conv", conv(4, 3, 1, 1, true), &[x]);
                let y = g.push("relu2", Op::Relu, &[y]);
                g.push("add", Op::Add, &[y, x])
            }),
        ),
        (
            "an input of ReLU with two readers",
            Block(|g, x| {
                let y = g.push("relu", Op::Relu, &[x]);
                let y = g.push("conv", conv(4, 3, 1, 1, true), &[y]);
                g.push("add", Op::Add, &[y, x])
            }),
        ),
        ("a tensor added to itself", Block(|g, x| g.push("add", Op::Add, &[x, x]))),
        (
            "a reader after the branch",
            Block(|g, x| {
                let y = g.push("a", conv(4, 3, 1, 1, false), &[x]);
                let z = g.push("b", conv(4, 3, 1, 1, false), &[x]);
                let s = g.push("add", Op::Add, &[y, x]);
                g.push("add2", Op::Add, &[s, z])
            }),
        ),
        (
            "a normalisation with two readers",
            Block(|g, x| {
                let x = g.push("norm", Op::BatchNorm, &[x]);
                let y = g.push("relu", Op::Relu, &[x]);
                g.push("add", Op::Add, &[x, y])
            }),
        ),
        (
            "a rectified sum",
            Block(|g, x| {
                let y = g.push("norm", Op::BatchNorm, &[x]);
                let y = g.push("add", Op::Add, &[y, x]);
                let y = g.push("relu", Op::Relu, &[y]);
                let z = g.push("pool", Op::MaxPool { size: 1, stride: 1 }, &[y]);
                g.push("add2", Op::Add, &[z, y])
            }),
        ),
    ];
    for (name, block) in blocks {
        println!("{name}");
        assert_twins_agree(&turn, Shape::new(4, 5, 2), CLASSES, 3, &block, NORMALISED);
    }
}
