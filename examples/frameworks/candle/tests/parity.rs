//! The same network on the same digits from the same weights, here and in `sam-backend-ndarray`.

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{Optimizer, SGD, VarBuilder, VarMap, loss::cross_entropy};
use ndarray::ArrayD;
use sam_backend_ndarray::{Network, TensorView};
use sam_core::{CountingOracle, FnOracle, Norm, Pass, Rule, Sam, Sgd, SliceSpace};
use sam_model::{Description, ImageShape, Name, Op, Padding, Tensor as Node, TensorInfo};
use sam_on_candle::network::{CHANNELS, ConvNet, HIDDEN};
use sam_on_candle::{Base, CandleSpace, parameters};
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
                Op::AvgPool { size: 2, stride: 2, padding: Padding::Explicit(0) },
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

/// A tensor as candle lays it out: `[outputs, inputs]` and `[outputs, inputs, rows, columns]`.
fn as_candle(info: &TensorInfo, arena: &[f32]) -> ArrayD<f32> {
    let tensor = info.view(arena).unwrap();
    let order: &[usize] = match tensor.ndim() {
        4 => &[3, 2, 0, 1],
        2 => &[1, 0],
        _ => &[0],
    };
    tensor.permuted_axes(order).as_standard_layout().into_owned()
}

/// Not p = inf, whose perturbation jumps where a gradient goes through zero: rounding may decide there. The conformance
/// kit has it.
#[test]
fn the_first_steps_are_those_of_the_ndarray_backend() {
    for rule in [Rule::l2(0.05), Rule::l1(0.05), Rule::new(0.05, Norm::from_p(3.0).unwrap()).adaptive(0.1)] {
        steps(rule);
    }
}

fn steps(rule: Rule<f32>) {
    let data = DataSource::Digits.load(None, None).unwrap();
    let mut batches = BatchMaker::new(&data, BATCH).unwrap();

    let mut network = reference();
    let mut weights = network.initial_parameters(7);
    let mut gradient = vec![0.0; weights.len()];
    let space = SliceSpace::new(vec![0.0; weights.len()]);
    let mut expected = Sam::new(space, rule, Sgd::new(RATE));

    let map = VarMap::new();
    let model =
        ConvNet::new([8, 8, 1], CLASSES, VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu)).unwrap();
    for info in network.tensors() {
        let values = as_candle(info, &weights);
        let values =
            Tensor::from_slice(values.as_slice().unwrap(), values.shape().to_vec(), &Device::Cpu).unwrap();
        map.data().lock().unwrap()[&info.name].set(&values).unwrap();
    }
    let mut w = parameters(&map);
    let mut g = Default::default();
    let base = Base(SGD::new(w.clone(), RATE.into()).unwrap());
    let mut sam = Sam::new(CandleSpace::new(&w).unwrap(), rule, base);

    let (mut clean, mut perturbed) = (0, 0);
    for step in 0..STEPS {
        let chosen: Vec<usize> = (step * BATCH..(step + 1) * BATCH).collect();
        let labels = &data.train.labels[step * BATCH..(step + 1) * BATCH];
        let batch = batches.train(&chosen, Augment::None, 0, 0).unwrap();
        network.set_batch(batch, labels).unwrap();
        let a = expected.step(&mut weights[..], &mut gradient[..], &mut network).unwrap();

        let values: Vec<f32> = batch.permuted_axes([0, 3, 1, 2]).iter().copied().collect();
        let images = Tensor::from_vec(values, (BATCH, 1, 8, 8), &Device::Cpu).unwrap();
        let labels: Vec<u32> = labels.iter().map(|&label| label.into()).collect();
        let labels = Tensor::from_vec(labels, BATCH, &Device::Cpu).unwrap();
        let mut oracle = CountingOracle::new(FnOracle(|_: &[Var], g: &mut _, _: Pass| {
            let loss = cross_entropy(&model.forward(&images)?, &labels)?;
            *g = loss.backward()?;
            loss.to_scalar::<f32>()
        }));
        let b = sam.step(&mut w[..], &mut g, &mut oracle).unwrap();
        clean += oracle.clean;
        perturbed += oracle.perturbed;

        assert!((a.clean - f64::from(b.clean)).abs() < 1e-5, "step {step}: {} and {}", a.clean, b.clean);
        let loss = |loss: Option<f64>| loss.expect("SAM takes a second gradient");
        let (up, other) = (loss(a.perturbed), loss(b.perturbed.map(f64::from)));
        assert!((up - other).abs() < 1e-5, "step {step}, perturbed: {up} and {other}");
        assert!(up > a.clean, "step {step}: the perturbation goes up");
        let norms = (a.norm.value(), b.norm.value());
        assert!((norms.0 - norms.1).abs() < 1e-5 * norms.0, "step {step}: norms {norms:?}");
    }
    assert_eq!((clean, perturbed), (STEPS as u64, STEPS as u64), "gradients of {STEPS} steps");

    let mut farthest = 0f32;
    for info in network.tensors() {
        let expected = as_candle(info, &weights);
        let found = map.data().lock().unwrap()[&info.name].flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(found.len(), expected.len(), "{}", info.name);
        for (found, expected) in found.iter().zip(&expected) {
            farthest = farthest.max((found - expected).abs());
        }
    }
    println!("{rule:?}: largest difference of a weight after {STEPS} steps: {farthest:e}");
    assert!(farthest < 1e-5, "{rule:?}: a weight differs by {farthest:e} after {STEPS} steps");
}
