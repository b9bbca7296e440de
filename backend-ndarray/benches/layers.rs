//! Each kind of layer on one thread beside the machine's limits: `cargo bench -p sam-backend-ndarray`.
//!
//! Throughput counts what the definition needs: two operations a product, so that Gelem/s are GFLOP/s and Winograd's
//! convolutions may exceed the limit; bytes where memory is the limit.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails by panicking")]

use std::hint::black_box;

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use ndarray::{Array2, Array4};
use sam_backend_ndarray::Network;
use sam_core::{GradientOracle, Pass};
use sam_model::{Architecture, Description, ImageShape, Name, Op, Padding, Shape, Tensor};

const BATCH: usize = 32;
const CLASSES: usize = 10;

/// A network of one thread with random images.
struct Bench {
    network: Network<f32>,
    params: Vec<f32>,
    grads: Vec<f32>,
    images: Array4<f32>,
    labels: Vec<u16>,
}

impl Bench {
    /// `ops` one after the other, then global pooling and the logits.
    fn new(image: Shape, ops: &[Op]) -> Self {
        let description = Description::new(image, CLASSES, |graph| {
            let layers = ops.iter().enumerate().map(|(i, &op)| (Name::numbered("layer", i), op));
            let x = graph.chain(Tensor::INPUT, layers)?;
            graph.chain(x, [("pool", Op::GlobalAvgPool), ("head", Op::Classify { classes: CLASSES })])
        });
        Self::of(&description.unwrap())
    }

    fn of(description: &Description) -> Self {
        let image = description.image();
        let network = Network::build(description, BATCH, 1).unwrap();
        let params: Vec<f32> = (0..network.parameter_count()).map(|i| (i % 17) as f32 / 17.0 - 0.5).collect();
        let mut bench = Self {
            grads: vec![0.0; params.len()],
            params,
            images: Array4::from_shape_fn(
                (BATCH, image.height, image.width, image.channels),
                |(n, y, x, c)| ((n * 7 + y * 5 + x * 3 + c) % 13) as f32 / 13.0 - 0.5,
            ),
            labels: (0..BATCH).map(|i| (i % CLASSES) as u16).collect(),
            network,
        };
        bench.network.set_batch(bench.images.view(), &bench.labels).unwrap();
        bench
    }

    fn forward(&mut self) {
        let logits = &mut Array2::zeros((BATCH, CLASSES));
        self.network.logits(&self.params, self.images.view(), logits.view_mut()).unwrap();
        black_box(logits);
    }

    fn gradient(&mut self) {
        black_box(self.network.gradient(&self.params, &mut self.grads, Pass::Perturbed).unwrap());
    }
}

const fn conv(channels: usize, kernel: usize, stride: usize) -> Op {
    Op::Conv { channels, kernel, stride, padding: Padding::Explicit(kernel / 2), groups: 1, bias: false }
}

const fn depthwise_conv(channels: usize, kernel: usize, stride: usize) -> Op {
    Op::Conv {
        channels,
        kernel,
        stride,
        padding: Padding::Explicit(kernel / 2),
        groups: channels,
        bias: false,
    }
}

/// The forward pass of one operation, and the gradient of two in a row: two forward passes, two gradients of weights,
/// one of the input.
fn operation(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, image: Shape, op: Op) {
    let signature = |image| op.signature(&[image]).unwrap();
    let (once, batch) = (signature(image), BATCH as u64);
    group.throughput(Throughput::Elements(2 * batch * once.multiply_adds));
    let mut bench = Bench::new(image, &[op]);
    group.bench_function(format!("{name}/forward"), |b| b.iter(|| bench.forward()));
    let mut bench = Bench::new(image, &[op, op]);
    let operations = 2 * batch * (2 * once.multiply_adds + 3 * signature(once.output).multiply_adds);
    group.throughput(Throughput::Elements(operations));
    group.bench_function(format!("{name}/gradient"), |b| b.iter(|| bench.gradient()));
}

fn convolutions(c: &mut Criterion) {
    let mut group = c.benchmark_group("convolution");
    for (extent, inputs, op) in [
        (28, 16, conv(16, 3, 1)),
        (14, 32, conv(32, 3, 1)),
        (7, 64, conv(64, 3, 1)),
        (28, 64, conv(64, 3, 1)),
        (14, 128, conv(128, 3, 1)),
        (7, 256, conv(256, 3, 1)),
        (28, 64, conv(128, 3, 2)),
        (14, 128, conv(256, 3, 2)),
        (28, 64, conv(128, 1, 2)),
        // Of ImageNet's networks.
        (112, 3, conv(64, 7, 2)),
        (56, 64, conv(128, 1, 2)),
        (28, 48, conv(48, 5, 1)),
    ] {
        let Op::Conv { channels, kernel, stride, .. } = op else { unreachable!() };
        let name = format!("{extent}x{extent}x{inputs}-{channels}-{kernel}x{kernel}-stride{stride}");
        operation(&mut group, &name, Shape::new(extent, extent, inputs), op);
    }
}

/// Of few products each, so that memory is the limit: bytes of the input and of the output, each once. For the
/// gradient, forward again, then the output's gradient with the input and with the input's gradient: that of a network with a 1x1
/// convolution before it, and without it, whose times differ by it.
fn depthwise(c: &mut Criterion) {
    let mut group = c.benchmark_group("depthwise");
    for (extent, channels, kernel, stride) in
        [(56, 144, 3, 1), (56, 144, 3, 2), (14, 480, 5, 1), (14, 672, 5, 2)]
    {
        let op = depthwise_conv(channels, kernel, stride);
        let image = Shape::new(extent, extent, channels);
        let output = op.signature(&[image]).unwrap().output;
        let bytes = |values: usize| Throughput::Bytes((BATCH * values * size_of::<f32>()) as u64);
        let name = format!("{extent}x{extent}x{channels}-{kernel}x{kernel}-stride{stride}");
        let mut bench = Bench::new(image, &[op]);
        group.throughput(bytes(image.len() + output.len()));
        group.bench_function(format!("{name}/forward"), |b| b.iter(|| bench.forward()));
        let mut bench = Bench::new(image, &[conv(channels, 1, 1), op]);
        let mut without = Bench::new(image, &[conv(channels, 1, 1)]);
        group.throughput(bytes(3 * (image.len() + output.len())));
        group.bench_function(format!("{name}/gradient-behind-1x1"), |b| b.iter(|| bench.gradient()));
        group.bench_function(format!("{name}/1x1-alone"), |b| b.iter(|| without.gradient()));
    }
}

fn dense(c: &mut Criterion) {
    let mut group = c.benchmark_group("dense");
    for (inputs, outputs) in [(784, 256), (256, 128)] {
        operation(&mut group, &format!("{inputs}-{outputs}"), Shape::vector(inputs), Op::Dense { outputs });
    }
}

/// Layers whose limit is memory: bytes of their input, read once.
fn sweeps(c: &mut Criterion) {
    let image = Shape::new(28, 28, 32);
    let mut group = c.benchmark_group("sweep");
    group.throughput(Throughput::Bytes((BATCH * image.len() * size_of::<f32>()) as u64));
    let pool = Op::MaxPool { size: 2, stride: 2, padding: Padding::Explicit(0) };
    for (name, ops) in [
        ("nothing", &[][..]),
        ("relu", &[Op::Relu]),
        ("batch-norm", &[Op::BATCH_NORM]),
        ("batch-norm-relu", &[Op::BATCH_NORM, Op::Relu]),
        ("max-pool", &[pool]),
    ] {
        // A convolution before, whose input's gradient is wanted: else there would be nothing to go back to.
        let first = [conv(image.channels, 1, 1)];
        let mut bench = Bench::new(image, &[&first, ops].concat());
        group.bench_function(format!("after-1x1-convolution/{name}"), |b| b.iter(|| bench.gradient()));
    }
}

/// Evaluation of whole networks, in images, with batch normalisation folded where it can be.
fn evaluation(c: &mut Criterion) {
    let image = ImageShape::new(28, 28, 1);
    let mut group = c.benchmark_group("evaluation");
    group.throughput(Throughput::Elements(BATCH as u64));
    for name in ["resnet-20", "wrn-16-1-projection"] {
        let architecture: Architecture = name.parse().unwrap();
        let mut bench = Bench::of(&architecture.describe(image, CLASSES).unwrap());
        group.bench_function(name, |b| b.iter(|| bench.forward()));
    }
}

/// What the machine can do: a large product of `matrixmultiply`'s, behind ndarray's `dot`, and copying.
fn limits(c: &mut Criterion) {
    let mut group = c.benchmark_group("limit");
    let n = 768;
    let matrix = Array2::from_shape_fn((n, n), |(i, j)| (i * 3 + j) as f32 / n as f32);
    group.throughput(Throughput::Elements(2 * (n as u64).pow(3)));
    group.bench_function("product", |b| b.iter(|| black_box(matrix.dot(&matrix))));
    let from = vec![1.0f32; 1 << 24];
    let mut to = vec![0.0f32; from.len()];
    group.throughput(Throughput::Bytes(2 * size_of_val(&from[..]) as u64));
    group.bench_function("copy", |b| b.iter(|| black_box(&mut to).copy_from_slice(&from)));
}

criterion_group!(benches, limits, convolutions, depthwise, dense, sweeps, evaluation);
criterion_main!(benches);
