//! Operations in bf16 beside the same in f32: as everything is computed in f32, the results are those, rounded where they are kept.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sam_model::{
    Description, Graph, Op, Padding, Shape, Tensor,
    random::{BackwardCoefficients, Key, Random},
};

use super::build::{self, Kind};
use crate::{
    Device, DeviceVec, Ptr, PtrMut,
    activations::Activations,
    element::{Element, rounded, widened},
    layer::{Backward, Draws, Forward, InputGradient, Mode, PairBackward, PairForward, add},
    loss::{CrossEntropy, DeviceLoss, Losses},
    plan::Plan,
    testing::device,
};

const SAMPLES: usize = 3;
/// No whole number of vectors, whether of f32 or of bf16, nor is a pixel one.
const IMAGE: Shape = Shape::new(5, 3, 6);

/// Values in (-1, 1) without structure; as bf16 they are what they are.
fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        widened(rounded((state >> 40) as f32 / (1u32 << 23) as f32 - 1.0))
    };
    (0..count).map(|_| next()).collect()
}

/// Networks in which one operation is looked at: the one of that name. What it reads is the image, or made of it.
fn networks() -> Vec<(&'static str, Description)> {
    let window = |size, stride, before| (size, stride, Padding::Explicit(before));
    let (size, stride, padding) = window(3, 2, 1);
    let conv = |channels, groups, bias| Op::Conv { channels, kernel: 3, stride: 2, padding, groups, bias };
    let ones = [
        ("relu", Op::Relu),
        ("relu6", Op::Relu6),
        ("swish", Op::Swish),
        ("sigmoid", Op::Sigmoid),
        ("norm", Op::BATCH_NORM),
        ("max pool", Op::MaxPool { size, stride, padding }),
        ("avg pool", Op::AvgPool { size, stride, padding }),
        ("mean", Op::GlobalAvgPool),
        ("subsample", Op::Subsample { stride: 2, shift: 1 }),
        ("pad", Op::PadChannels { channels: 9 }),
        ("depthwise", conv(6, 6, true)),
        ("groups", conv(4, 2, false)),
        ("dropout", Op::Dropout { rate: 0.3 }),
        ("drop-connect", Op::DropConnect { rate: 0.4 }),
        ("shake-drop", Op::ShakeDrop { keep: 0.5 }),
    ];
    let described = |describe: &dyn Fn(&mut Graph) -> Tensor| {
        let closed = |graph: &mut Graph| {
            let x = describe(graph);
            graph.chain(x, [("flatten", Op::Flatten), ("head", Op::Dense { outputs: 3 })])
        };
        Description::new(IMAGE, 3, closed).unwrap()
    };
    let mut networks: Vec<_> = ones
        .map(|(name, op)| (name, described(&|graph| graph.push(name, op, &[Tensor::INPUT]).unwrap())))
        .into_iter()
        .collect();
    let rectified = |graph: &mut Graph| {
        graph.chain(Tensor::INPUT, [("norm and relu", Op::BATCH_NORM), ("relu", Op::Relu)]).unwrap()
    };
    networks.push(("norm and relu", described(&rectified)));
    // Channels that are moved in vectors.
    let grouped = [
        ("norm of sixteen", Op::BATCH_NORM),
        ("max pool of sixteen", Op::MaxPool { size, stride, padding }),
        ("avg pool of sixteen", Op::AvgPool { size, stride, padding }),
        ("subsample of sixteen", Op::Subsample { stride: 2, shift: 1 }),
        ("pad of sixteen", Op::PadChannels { channels: 24 }),
    ];
    networks.extend(grouped.map(|(name, op)| {
        let wide = Op::PadChannels { channels: 16 };
        (name, described(&|graph| graph.chain(Tensor::INPUT, [("wide", wide), (name, op)]).unwrap()))
    }));
    let joined = |graph: &mut Graph| {
        let wide = |graph: &mut Graph, name, channels| {
            graph.push(name, Op::PadChannels { channels }, &[Tensor::INPUT])
        };
        let (a, b) = (wide(graph, "wide", 8).unwrap(), wide(graph, "wider", 16).unwrap());
        graph.push("concat of eight and sixteen", Op::Concat, &[a, b]).unwrap()
    };
    networks.push(("concat of eight and sixteen", described(&joined)));
    for (name, op, second) in [
        ("add", Op::Add, Op::Relu),
        ("concat", Op::Concat, Op::Relu),
        ("scale", Op::Scale, Op::GlobalAvgPool),
        ("shake-shake", Op::ShakeShake, Op::Relu),
    ] {
        let pair = |graph: &mut Graph| {
            let second = graph.push("second", second, &[Tensor::INPUT]).unwrap();
            graph.push(name, op, &[Tensor::INPUT, second]).unwrap()
        };
        networks.push((name, described(&pair)));
    }
    networks
}

/// What an operation makes: its output and its inputs' gradients; then what is f32 in any case, the gradient of its parameters and
/// the running statistics.
type Made = [Vec<Vec<f32>>; 2];

fn made(device: &Device, description: &Description, name: &str, element: Element, accumulate: bool) -> Made {
    let plan = Plan::new(description);
    let mut tasks = build::tasks(device, description, &plan, SAMPLES).unwrap();
    let node = description.nodes().iter().position(|node| node.name.to_string() == name).unwrap();
    let task = &mut tasks[node];
    let kernels = device.activations(element);
    let on = |values: &[f32]| Activations::from_slice(device, element, values).unwrap();
    let of = |tensor: usize| SAMPLES * description.shape(tensor).len();
    let inputs: Vec<_> = description.nodes()[node]
        .inputs
        .iter()
        .enumerate()
        .map(|(i, &input)| on(&noise(i as u64, of(input))))
        .collect();
    let (output, d_output) = (on(&vec![0.0; of(node + 1)]), on(&noise(8, of(node + 1))));
    let params = description.parameters().len();
    let w = DeviceVec::from_slice(device, &noise(9, params)).unwrap();
    let g = DeviceVec::<f32>::zeros(device, params).unwrap();
    let statistics = noise(10, description.statistics().len()).iter().map(|x| x + 2.0).collect::<Vec<_>>();
    let statistics = DeviceVec::from_slice(device, &statistics).unwrap();
    let scratch = DeviceVec::<f64>::zeros(device, task.scratch_bytes(SAMPLES).div_ceil(8).max(1)).unwrap();
    let mut draws = Draws::new(device, description, SAMPLES).unwrap();
    let random = Random { key: Key([3, 2 << 40, 1]), first: 5, backward: BackwardCoefficients::Fresh };
    draws.set(Some(random)).unwrap();
    draws.draw(device, 0..SAMPLES, Mode::Clean, false).unwrap();
    let drawn = draws.drawn(0);
    let input = |i: usize| inputs[i].at().reading();
    match &mut task.kind {
        Kind::Layer(layer) => layer
            .forward(Forward {
                device,
                kernels,
                mode: Mode::Clean,
                samples: SAMPLES,
                params: w.view().range(task.params.clone()).ptr(),
                statistics: statistics.shared_ptr(),
                input: input(0),
                output: output.at(),
                drawn,
                sums: None,
                residual: None,
                scratch: scratch.shared_ptr(),
            })
            .unwrap(),
        Kind::Add { len, .. } => {
            add((device, kernels), SAMPLES * *len, input(0), input(1), output.at()).unwrap();
        }
        Kind::Pair { pair, .. } => {
            let coefficients = drawn.coefficients;
            let on = (device, kernels);
            let inputs = [input(0), input(1)];
            pair.forward(&PairForward { on, samples: SAMPLES, inputs, output: output.at(), coefficients })
                .unwrap();
        }
        Kind::Skip => panic!("{name} is not launched"),
    }
    let mut values = vec![output.read().unwrap()];
    for (position, read) in inputs.iter().enumerate() {
        let to = on(&noise(11, read.len()));
        let d_input = InputGradient { values: to.at(), accumulate };
        match &mut task.kind {
            Kind::Layer(layer) => layer
                .backward(Backward {
                    device,
                    kernels,
                    samples: SAMPLES,
                    params: w.view().range(task.params.clone()).ptr(),
                    grads: g.shared_ptr().add(task.params.start),
                    input: input(0),
                    output: output.at().reading(),
                    d_output: d_output.at().reading(),
                    drawn,
                    d_input: Some(d_input),
                    scratch: scratch.shared_ptr(),
                })
                .unwrap(),
            Kind::Pair { pair, .. } => pair
                .backward(
                    position,
                    &PairBackward {
                        on: (device, kernels),
                        samples: SAMPLES,
                        inputs: [input(0), input(1)],
                        d_output: d_output.at().reading(),
                        d_input,
                        coefficients: drawn.coefficients,
                    },
                )
                .unwrap(),
            Kind::Add { .. } | Kind::Skip => {}
        }
        values.push(to.read().unwrap());
    }
    [values, vec![g.read().unwrap(), statistics.read().unwrap()]]
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn operations_in_bf16_are_those_in_f32_rounded_once() {
    let Some(device) = device() else { return };
    device.check_precision(crate::Precision::Bf16).unwrap();
    for (name, description) in &networks() {
        for accumulate in [false, true] {
            let [single, same] = made(&device, description, name, Element::F32, accumulate);
            let [short, kept] = made(&device, description, name, Element::Bf16, accumulate);
            for (place, (single, short)) in single.iter().zip(&short).enumerate() {
                let expected: Vec<f32> = single.iter().map(|&value| widened(rounded(value))).collect();
                assert_eq!(bits(short), bits(&expected), "{name}, {accumulate}: values {place}");
                assert!(single.iter().any(|value| *value != 0.0), "{name}: there is nothing to compare");
            }
            for (same, kept) in same.iter().zip(&kept) {
                assert_eq!(bits(kept), bits(same), "{name}, {accumulate}");
            }
        }
    }
}

#[test]
fn losses_of_bf16_are_those_of_the_same_logits_in_f32() {
    let Some(device) = device() else { return };
    device.check_precision(crate::Precision::Bf16).unwrap();
    let classes = 7;
    let logits = noise(1, SAMPLES * classes);
    let found = [Element::F32, Element::Bf16].map(|element| {
        let on = |values: &[f32]| Activations::from_slice(&device, element, values).unwrap();
        let (x, dx) = (on(&logits), on(&vec![0.0; logits.len()]));
        let mut loss = CrossEntropy::new(&device, classes, SAMPLES).unwrap();
        loss.labels.write(&[6, 0, 3]).unwrap();
        let losses =
            Losses { first: 0, samples: SAMPLES, perturbed: false, partners: (Ptr::NULL, Ptr::NULL) };
        let kernels = device.activations(element);
        loss.launch(kernels, &losses, x.at().reading(), 0.125, dx.at()).unwrap();
        let mean = DeviceLoss::new(&device).unwrap();
        loss.mean(SAMPLES, false, &mean).unwrap();
        loss.launch(kernels, &losses, x.at().reading(), 0.125, PtrMut::NULL).unwrap();
        (mean.value().unwrap().to_bits(), dx.read().unwrap())
    });
    let [(single, d_single), (short, d_short)] = found;
    assert_eq!(single, short);
    let expected: Vec<f32> = d_single.iter().map(|&value| widened(rounded(value))).collect();
    assert_eq!(bits(&d_short), bits(&expected));
    assert_ne!(bits(&d_short), bits(&d_single));
}
