//! Normalisation, addition and ReLU in one sweep beside three.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sam_model::{Description, Graph, Op, Shape, Tensor};

use super::build::{self, Kind, Task};
use crate::{
    Device, DeviceVec, Ptr, PtrMut,
    activations::Activations,
    element::{Element, Value},
    layer::{Drawn, Forward, Mode, Residual, add},
    plan::Plan,
    testing::device,
};

const SAMPLES: usize = 3;

/// The end of a block, whose shortcut comes first or second in the sum; with a ReLU behind that or without.
fn block(image: Shape, shortcut_first: bool, relu: bool) -> Description {
    let describe = |graph: &mut Graph| {
        let shortcut = graph.push("shortcut", Op::Swish, &[Tensor::INPUT])?;
        let x = graph.push("norm", Op::BATCH_NORM, &[Tensor::INPUT])?;
        let sum = if shortcut_first { [shortcut, x] } else { [x, shortcut] };
        let mut x = graph.push("add", Op::Add, &sum)?;
        if relu {
            x = graph.push("relu", Op::Relu, &[x])?;
        }
        graph.chain(x, [("flatten", Op::Flatten), ("head", Op::Dense { outputs: 2 })])
    };
    Description::new(image, 2, describe).unwrap()
}

/// Values in (-1, 1) without structure.
fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// What the normalisation has to be launched with.
struct Bench<'a> {
    device: &'a Device,
    element: Element,
    params: DeviceVec<f32>,
    statistics: DeviceVec<f32>,
    scratch: DeviceVec<f64>,
}

impl Bench<'_> {
    fn forward(&self, task: &mut Task, input: Ptr<Value>, output: PtrMut<Value>, residual: Option<Residual>) {
        let Kind::Layer(layer) = &mut task.kind else { panic!("{} is no layer", task.name) };
        let pass = Forward {
            device: self.device,
            kernels: self.device.activations(self.element),
            mode: Mode::Clean,
            samples: SAMPLES,
            params: self.params.view().ptr(),
            statistics: self.statistics.shared_ptr(),
            input,
            output,
            drawn: Drawn { first: 0, random: Ptr::NULL, coefficients: Ptr::NULL },
            sums: None,
            residual,
            scratch: self.scratch.shared_ptr(),
        };
        layer.forward(pass).unwrap();
    }
}

/// In vectors, and one by one where there is no whole number of them; the output may take the addend's place.
#[test]
fn a_normalisation_adds_and_rectifies_with_the_bits_of_three_sweeps() {
    let Some(device) = device() else { return };
    device.check_precision(crate::Precision::Bf16).unwrap();
    for (image, element) in [Shape::new(2, 2, 16), Shape::new(5, 3, 3)]
        .into_iter()
        .flat_map(|i| [(i, Element::F32), (i, Element::Bf16)])
    {
        for (shortcut_first, relu) in [(false, true), (true, true), (false, false)] {
            let description = block(image, shortcut_first, relu);
            let plan = Plan::new(&description);
            let mut tasks = build::tasks(&device, &description, &plan, SAMPLES).unwrap();
            let tail = tasks[1].tail.unwrap();
            assert_eq!((tail.addend, tail.relu), (plan.values[1], relu));
            let covered: Vec<bool> = tasks.iter().map(|task| task.done_before).collect();
            assert_eq!(covered, [false, false, true, relu, false, false][..tasks.len()]);

            let n = SAMPLES * image.len();
            let on = |seed| Activations::from_slice(&device, element, &noise(seed, n)).unwrap();
            let (x, shortcut, apart, fused) = (on(1), on(2), on(3), on(2));
            let statistics = vec![1.0; 2 * image.channels];
            let scratch = tasks[1].scratch_bytes(SAMPLES).div_ceil(8);
            let bench = Bench {
                device: &device,
                element,
                params: DeviceVec::from_slice(&device, &noise(4, 2 * image.channels)).unwrap(),
                statistics: DeviceVec::from_slice(&device, &statistics).unwrap(),
                scratch: DeviceVec::zeros(&device, scratch).unwrap(),
            };
            bench.forward(&mut tasks[1], x.at().reading(), apart.at(), None);
            let [first, second] = if shortcut_first { [&shortcut, &apart] } else { [&apart, &shortcut] };
            let kernels = device.activations(element);
            add((&device, kernels), n, first.at().reading(), second.at().reading(), apart.at()).unwrap();
            if relu {
                bench.forward(&mut tasks[3], apart.at().reading(), apart.at(), None);
            }
            let residual = Residual { addend: fused.at().reading(), relu };
            bench.forward(&mut tasks[1], x.at().reading(), fused.at(), Some(residual));
            let bits =
                |of: &Activations| of.read().unwrap().into_iter().map(f32::to_bits).collect::<Vec<_>>();
            assert_eq!(bits(&fused), bits(&apart), "{image}, {element:?}, {shortcut_first}, {relu}");
        }
    }
}
