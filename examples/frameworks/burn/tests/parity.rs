//! The same network on the same digits from the same weights, here and in `sam-backend-ndarray`.

use std::convert::Infallible;

use burn::module::{Module, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use ndarray::ArrayD;
use sam_backend_ndarray::{Network, TensorView};
use sam_core::{CountingOracle, FnOracle, Norm, Rule, Sam, Sgd, SliceSpace, Unseen};
use sam_model::{Description, ImageShape, Name, Op, Padding, Tensor as Node, TensorInfo};
use sam_on_burn::network::{CHANNELS, ConvNet, HIDDEN};
use sam_on_burn::{Base, BurnSpace};
use sam_train::data::{Augment, BatchMaker, DataSource};

const BATCH: usize = 16;
const CLASSES: usize = 10;
const STEPS: usize = 5;
const RATE: f32 = 0.1;

/// [`ConvNet`] once more, as operations.
fn reference() -> Network<f32> {
    let description = Description::new(ImageShape::new(8, 8, 1), CLASSES, |graph| {
        let mut x = Node::INPUT;
        for (i, channels) in CHANNELS.into_iter().enumerate() {
            let conv = Op::Conv {
                channels,
                kernel: 3,
                stride: 1,
                padding: Padding::Explicit(1),
                groups: 1,
                bias: true,
            };
            x = graph.push(Name::numbered("conv", i + 1), conv, &[x])?;
            x = graph.push(Name::numbered("relu", i + 1), Op::Relu, &[x])?;
            x = graph.push(
                Name::numbered("pool", i + 1),
                Op::MaxPool { size: 2, stride: 2, padding: Padding::Explicit(0) },
                &[x],
            )?;
        }
        graph.chain(
            x,
            [
                ("flatten", Op::Flatten),
                ("dense", Op::Dense { outputs: HIDDEN }),
                ("relu3", Op::Relu),
                ("head", Op::Dense { outputs: CLASSES }),
            ],
        )
    });
    Network::build(&description.unwrap(), BATCH, 1).unwrap()
}

/// A tensor as burn lays it out: filters `[outputs, inputs, rows, columns]`, the others as they are.
fn as_burn(info: &TensorInfo, arena: &[f32]) -> ArrayD<f32> {
    let tensor = info.view(arena).unwrap();
    let order: &[usize] = match tensor.ndim() {
        4 => &[3, 2, 0, 1],
        2 => &[0, 1],
        _ => &[0],
    };
    tensor.permuted_axes(order).as_standard_layout().into_owned()
}

fn tensor<const D: usize>(from: &ArrayD<f32>, device: &Device) -> Tensor<D> {
    let values: Vec<f32> = from.iter().copied().collect();
    Tensor::from_data(TensorData::new(values, from.shape().to_vec()), device)
}

fn set<const D: usize>(param: &mut Param<Tensor<D>>, to: &ArrayD<f32>, device: &Device) {
    *param = Param::initialized(param.id, tensor(to, device).require_grad());
}

/// Values of the parameter that the reference calls `name`.
fn read(w: &ConvNet, name: &str) -> Vec<f32> {
    let bias = |bias: &Option<Param<Tensor<1>>>| bias.as_ref().unwrap().val().into_data();
    let data = match name {
        "conv1.weight" => w.conv1.weight.val().into_data(),
        "conv1.bias" => bias(&w.conv1.bias),
        "conv2.weight" => w.conv2.weight.val().into_data(),
        "conv2.bias" => bias(&w.conv2.bias),
        "dense.weight" => w.dense.weight.val().into_data(),
        "dense.bias" => bias(&w.dense.bias),
        "head.weight" => w.head.weight.val().into_data(),
        "head.bias" => bias(&w.head.bias),
        other => panic!("no parameter {other}"),
    };
    data.iter::<f32>().collect()
}

/// Not p = inf, whose perturbation jumps where a gradient goes through zero: rounding may decide there. The conformance
/// kit has it.
#[test]
fn the_first_steps_are_those_of_the_ndarray_backend() {
    for (norm, rho, eta) in
        [(Norm::L2, 0.05, None), (Norm::L1, 0.05, None), (Norm::from_p(3.0).unwrap(), 0.05, Some(0.1))]
    {
        steps(norm, rho, eta);
    }
}

fn steps(norm: Norm, rho: f64, eta: Option<f64>) {
    let data = DataSource::Digits.load(None, None).unwrap();
    let mut batches = BatchMaker::new(&data, BATCH).unwrap();
    let device = Device::default().autodiff();

    let mut network = reference();
    let mut weights = network.initial_parameters(7);
    let mut gradient = vec![0.0; weights.len()];
    let space = SliceSpace::new(vec![0.0; weights.len()]);
    let rule = Rule::new(rho as f32, norm).with_adaptive(eta.map(|eta| eta as f32));
    let mut expected = Sam::new(space, rule, Sgd::new(RATE));

    let mut w = ConvNet::new([8, 8, 1], CLASSES, &device).materialize();
    for info in network.tensors() {
        let values = as_burn(info, &weights);
        match info.name.as_str() {
            "conv1.weight" => set(&mut w.conv1.weight, &values, &device),
            "conv2.weight" => set(&mut w.conv2.weight, &values, &device),
            "dense.weight" => set(&mut w.dense.weight, &values, &device),
            "head.weight" => set(&mut w.head.weight, &values, &device),
            "conv1.bias" => set(w.conv1.bias.as_mut().unwrap(), &values, &device),
            "conv2.bias" => set(w.conv2.bias.as_mut().unwrap(), &values, &device),
            "dense.bias" => set(w.dense.bias.as_mut().unwrap(), &values, &device),
            "head.bias" => set(w.head.bias.as_mut().unwrap(), &values, &device),
            other => panic!("no parameter {other}"),
        }
    }
    let mut g = GradientsParams::new();
    let base = Base { optimizer: SgdConfig::new().init(), rate: RATE.into() };
    let rule = Rule::new(rho, norm).with_adaptive(eta);
    let mut sam = Sam::new(BurnSpace::new(&w).unwrap(), rule, base);
    let criterion = CrossEntropyLossConfig::new().init(&device);

    let (mut clean, mut perturbed) = (0, 0);
    for step in 0..STEPS {
        let chosen: Vec<usize> = (step * BATCH..(step + 1) * BATCH).collect();
        let labels = &data.train.labels[step * BATCH..(step + 1) * BATCH];
        let batch = batches.train(&chosen, Augment::None, 0, 0).unwrap();
        network.set_batch(batch, labels).unwrap();
        let a = expected.step(&mut weights[..], &mut gradient[..], &mut network).unwrap();

        let images: Tensor<4> = tensor(&batch.permuted_axes([0, 3, 1, 2]).to_owned().into_dyn(), &device);
        let labels: Vec<i64> = labels.iter().map(|&label| label.into()).collect();
        let labels: Tensor<1, Int> = Tensor::from_data(TensorData::new(labels, [BATCH]), &device);
        let mut oracle = CountingOracle::new(FnOracle(|w: &ConvNet, g: &mut GradientsParams, _| {
            let loss = criterion.forward(w.forward(images.clone()), labels.clone());
            *g = GradientsParams::from_grads(loss.backward(), w);
            Ok::<_, Infallible>(Unseen(loss))
        }));
        let b = sam.step(&mut w, &mut g, &mut oracle).unwrap();
        clean += oracle.clean;
        perturbed += oracle.perturbed;

        let number = |loss: Unseen<Tensor<1>>| f64::from(loss.0.into_scalar::<f32>());
        let (loss, other) = (a.clean, number(b.clean));
        assert!((loss - other).abs() < 1e-5, "step {step}: {loss} and {other}");
        let (up, other) = (a.perturbed.unwrap(), number(b.perturbed.unwrap()));
        assert!((up - other).abs() < 1e-5, "step {step}, perturbed: {up} and {other}");
        assert!(up > a.clean, "step {step}: the perturbation goes up");
        let norms = (a.norm.value(), b.norm.value());
        assert!((norms.0 - norms.1).abs() < 1e-5 * norms.0, "step {step}: norms {norms:?}");
    }
    assert_eq!((clean, perturbed), (STEPS as u64, STEPS as u64), "gradients of {STEPS} steps");

    let mut farthest = 0f32;
    for info in network.tensors() {
        let (expected, found) = (as_burn(info, &weights), read(&w, &info.name));
        assert_eq!(found.len(), expected.len(), "{}", info.name);
        for (found, expected) in found.iter().zip(&expected) {
            farthest = farthest.max((found - expected).abs());
        }
    }
    println!("{norm:?}: largest difference of a weight after {STEPS} steps: {farthest:e}");
    assert!(farthest < 1e-5, "{norm:?}: a weight differs by {farthest:e} after {STEPS} steps");
}
