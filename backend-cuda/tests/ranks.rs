//! Several devices that add up what they compute, each with a thread of its own: on the interpreter, whose stand-in for NCCL carries
//! their messages, or on as many GPUs as a machine has.
//!
//! Without a device the tests say that they were skipped, or fail if `SAM_REQUIRE_CUDA=1`; with fewer than ranks, those are skipped.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "device/support.rs"]
#[allow(dead_code, reason = "shared with the tests of one device, which use the rest")]
mod support;

use std::thread;

use sam_backend_cuda::{
    Communicator, CudaError, CudaMSharpness, CudaNetwork, CudaSgd, CudaSpace, Device, DeviceStep, DeviceVec,
    Parts, Sharing, StepGraph, UniqueId,
};
use sam_core::{Outcome, Pass, Plain, Rule, Sam};
use sam_model::{BatchNorm, Description, Op, Padding, Shape, Tensor};

use support::{bits, device};

const GROUPS: usize = 4;

/// Numbers without a pattern, from -1 to 1.
fn noise(seed: u64) -> impl Iterator<Item = f32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15);
    core::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    })
}

/// Has every rank do something on a device of its own, at the same time; what they return, in their order. `None` where there are
/// not as many devices, after saying so.
fn on_ranks<R: Send>(
    test: &str,
    ranks: usize,
    rank: impl Fn(Device, Communicator) -> R + Sync,
) -> Option<Vec<R>> {
    if let Err(error) = Device::new(ranks as u32 - 1) {
        println!("{test}: skipped with {ranks} devices: {error}");
        return None;
    }
    let id = UniqueId::new().unwrap();
    let own = |number: usize| {
        let device = Device::new(number as u32).unwrap();
        let communicator = Communicator::new(&device, &id, number, ranks).unwrap();
        assert_eq!((communicator.rank(), communicator.size()), (number, ranks));
        rank(device, communicator)
    };
    let own = &own;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..ranks).map(|number| scope.spawn(move || own(number))).collect();
        Some(threads.into_iter().map(|thread| thread.join().unwrap()).collect())
    })
}

/// As the definition has it.
fn tree(vectors: &[Vec<f32>]) -> Vec<f32> {
    match vectors {
        [only] => only.clone(),
        several => {
            let (left, right) = several.split_at(several.len() / 2);
            tree(left).iter().zip(tree(right)).map(|(left, right)| left + right).collect()
        }
    }
}

#[test]
fn sums_have_the_bits_of_a_tree() {
    let test = "sums_have_the_bits_of_a_tree";
    let Some(_turn) = device(test) else { return };
    for ranks in [1, 2, 4] {
        for len in [1, 100, 5000] {
            let own = |rank: usize| noise(rank as u64 + 1).take(len).collect::<Vec<f32>>();
            let expected = bits(&tree(&(0..ranks).map(own).collect::<Vec<_>>()));
            let sums = on_ranks(test, ranks, |device, mut communicator| {
                let mut values = DeviceVec::zeros(&device, communicator.padded(len)).unwrap();
                values.write(&own(communicator.rank())).unwrap();
                communicator.sum(&mut values, len).unwrap();
                communicator.wait().unwrap();
                let agreed = [true, communicator.rank() > 0].map(|own| communicator.all(own).unwrap());
                assert_eq!(agreed, [true, false]);
                bits(&values.read().unwrap()[..len])
            });
            let Some(sums) = sums else { continue };
            assert!(sums.iter().all(|sum| *sum == expected), "{ranks} ranks, {len} entries");
        }
    }
}

#[test]
fn ranks_are_a_power_of_two() {
    let Some(turn) = device("ranks_are_a_power_of_two") else { return };
    let Ok(id) = UniqueId::new() else { return };
    for (rank, ranks) in [(0, 3), (2, 2), (0, 0)] {
        let error = Communicator::new(&turn.device, &id, rank, ranks).err().unwrap();
        assert!(matches!(error, CudaError::Ranks { .. }), "{error}");
    }
    assert!(UniqueId::from_bytes(&[1; 3]).is_err());
    assert_eq!(UniqueId::from_bytes(id.as_bytes()).unwrap(), id);
}

/// Waiting for the device alone would not end on a GPU.
#[test]
fn a_rank_that_has_gone_is_an_error_and_not_a_wait() {
    let test = "a_rank_that_has_gone_is_an_error_and_not_a_wait";
    let Some(_turn) = device(test) else { return };
    let found = on_ranks(test, 2, |device, mut communicator| {
        if communicator.rank() == 1 {
            return None;
        }
        let mut values = DeviceVec::zeros(&device, communicator.padded(10)).unwrap();
        let asked = communicator.sum(&mut values, 10);
        let waited = communicator.wait();
        assert!(communicator.sum(&mut values, 10).is_err());
        Some(asked.and(waited).unwrap_err().to_string())
    });
    let Some(found) = found else { return };
    assert!(found[0].as_ref().is_some_and(|error| !error.contains('\n')), "{found:?}");
}

/// A batch of so many samples in groups, as a rank of so many has them.
fn parts(samples: usize, rank: usize, ranks: usize) -> Parts {
    let begin = |group: usize| group * samples / GROUPS;
    let of = |rank: usize| rank * GROUPS / ranks..(rank + 1) * GROUPS / ranks;
    Parts {
        samples,
        own: of(rank).map(|group| begin(group)..begin(group + 1)).collect(),
        ranks: (0..ranks).map(|rank| begin(of(rank).start)..begin(of(rank).end)).collect(),
    }
}

/// The network with batch normalisation, or the one of a name.
fn describe(model: &str) -> Description {
    if model != NORMALISED {
        return model.parse::<sam_model::Architecture>().unwrap().describe(IMAGE, 10).unwrap();
    }
    let conv = |channels| Op::Conv {
        channels,
        kernel: 3,
        stride: 2,
        padding: Padding::Explicit(1),
        groups: 1,
        bias: false,
    };
    let described = Description::new(IMAGE, 10, |graph| {
        let mut x = Tensor::INPUT;
        for (names, channels) in [(["conv1", "norm1", "relu1"], 4), (["conv2", "norm2", "relu2"], 6)] {
            x = graph.push(names[0], conv(channels), &[x])?;
            x = graph.push(names[1], Op::BatchNorm(BatchNorm::PYTORCH), &[x])?;
            x = graph.push(names[2], Op::Relu, &[x])?;
        }
        let x = graph.push("pool", Op::GlobalAvgPool, &[x])?;
        graph.push("head", Op::Dense { outputs: 10 }, &[x])
    });
    described.unwrap()
}

const NORMALISED: &str = "two normalised convolutions";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Method {
    Sgd,
    Sam,
    MSharpness,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    method: Method,
    model: &'static str,
    samples: usize,
    recorded: bool,
    /// The step with an image that is not finite.
    broken: Option<usize>,
}

const STEPS: usize = 4;
const IMAGE: Shape = Shape::new(8, 8, 1);

/// What a run came to: weights and running statistics, and the loss and the outcome of each step.
type End = (Vec<u32>, Vec<u32>, Vec<(u64, Outcome)>);

impl Run {
    fn on(&self, device: &Device, communicator: Option<Communicator>) -> End {
        let (rank, ranks) =
            communicator.as_ref().map_or((0, 1), |communicator| (communicator.rank(), communicator.size()));
        let samples = self.samples;
        let description = describe(self.model);
        let network = CudaNetwork::build_in_parts(
            device,
            &description,
            (samples, samples.div_ceil(GROUPS)),
            sam_backend_cuda::Precision::Single,
        )
        .unwrap();
        let start = network.initial_parameters(5);
        let n = start.len();
        let base = CudaSgd::new(device, 0.05).unwrap().with_momentum(0.9, n).unwrap();
        let space = CudaSpace::new(device, n).unwrap();
        let method: Box<dyn DeviceStep> = match self.method {
            Method::Sgd => Box::new(Plain::new(space, base)),
            Method::Sam => Box::new(Sam::new(space, Rule::l2(0.05), base)),
            Method::MSharpness => {
                Box::new(CudaMSharpness::new(device, space, Rule::l2(0.05), 1, base, n).unwrap())
            }
        };
        let statistics = network.running_statistics().len();
        let parts = parts(samples, rank, ranks);
        let sharing = Sharing::new(device, communicator, parts, n, statistics).unwrap();
        let w = DeviceVec::from_slice(device, &start).unwrap();
        let steps = StepGraph::new(method, network, w).unwrap();
        let mut steps = if self.recorded { steps } else { steps.without_recording() };
        steps.share(sharing);
        let mut told = Vec::new();
        for step in 0..STEPS {
            let mut images: Vec<f32> = noise(7 + step as u64).take(samples * IMAGE.len()).collect();
            if self.broken == Some(step) {
                // In the last group, which the last rank has.
                *images.last_mut().unwrap() = f32::NAN;
            }
            let labels: Vec<u16> = (0..samples).map(|sample| (3 * sample % 10) as u16).collect();
            steps.set_batch(&images, &labels).unwrap();
            let report = steps.step().unwrap();
            let settled = steps.settle(&report).unwrap();
            if !settled.outcome.moved() {
                steps.recall_statistics().unwrap();
            }
            told.push((settled.loss.to_bits(), settled.outcome));
        }
        assert_eq!(steps.launches().unwrap().is_some(), self.recorded, "{:?}", steps.unrecorded());
        let statistics = bits(&steps.network().statistics().unwrap());
        (bits(&steps.params().read().unwrap()), statistics, told)
    }

    /// On one device and on two and four: the same.
    fn is_the_same_on_all(&self, test: &str, device: &Device) -> End {
        let expected = self.on(device, None);
        for ranks in [2, 4] {
            let found = on_ranks(test, ranks, |device, communicator| self.on(&device, Some(communicator)));
            for (rank, end) in found.into_iter().flatten().enumerate() {
                assert!(end == expected, "{self:?}, rank {rank} of {ranks}");
            }
        }
        expected
    }
}

#[test]
fn steps_are_the_same_on_one_two_and_four_ranks() {
    let test = "steps_are_the_same_on_one_two_and_four_ranks";
    let Some(turn) = device(test) else { return };
    for (method, model) in
        [(Method::Sgd, "mlp-7"), (Method::Sam, NORMALISED), (Method::MSharpness, NORMALISED)]
    {
        let run = Run { method, model, samples: 6, recorded: true, broken: None };
        let (weights, statistics, told) = run.is_the_same_on_all(test, &turn.device);
        assert!(told.iter().all(|(loss, outcome)| outcome.moved() && f64::from_bits(*loss) > 0.0));
        let launched = Run { recorded: false, ..run };
        assert!(launched.is_the_same_on_all(test, &turn.device) == (weights, statistics, told), "{run:?}");
    }
}

/// Groups without samples count as nothing.
#[test]
fn groups_may_be_empty() {
    let test = "groups_may_be_empty";
    let Some(turn) = device(test) else { return };
    for method in [Method::Sam, Method::MSharpness] {
        let run = Run { method, model: "mlp-5", samples: 3, recorded: true, broken: None };
        run.is_the_same_on_all(test, &turn.device);
    }
}

/// The trap: a rank whose own group is not finite must not be the only one that leaves a step out.
#[test]
fn what_is_not_finite_on_one_rank_stops_the_step_of_all() {
    let test = "what_is_not_finite_on_one_rank_stops_the_step_of_all";
    let Some(turn) = device(test) else { return };
    for method in [Method::Sgd, Method::Sam, Method::MSharpness] {
        let run = Run { method, model: "mlp-5", samples: 4, recorded: true, broken: Some(2) };
        let (weights, _, told) = run.is_the_same_on_all(test, &turn.device);
        let moved: Vec<_> = told.iter().map(|(_, outcome)| outcome.moved()).collect();
        assert_eq!(moved, [true, true, false, true], "{method:?}");
        assert_eq!(told[2].1, Outcome::NonFinite(Pass::Clean));
        assert!(weights.iter().all(|&weight| f32::from_bits(weight).is_finite()));
    }
}

/// A whole batch in groups is the batch, to within rounding.
#[test]
fn a_step_in_groups_is_a_step() {
    let Some(turn) = device("a_step_in_groups_is_a_step") else { return };
    let device = &turn.device;
    let run = Run { method: Method::Sam, model: "lenet", samples: 6, recorded: false, broken: None };
    let (in_groups, ..) = run.on(device, None);
    let mut network = CudaNetwork::new(device, &"lenet".parse().unwrap(), IMAGE, 10, 6).unwrap();
    let start = network.initial_parameters(5);
    let base = CudaSgd::new(device, 0.05).unwrap().with_momentum(0.9, start.len()).unwrap();
    let mut sam = Sam::new(CudaSpace::new(device, start.len()).unwrap(), Rule::l2(0.05), base);
    let mut w = DeviceVec::from_slice(device, &start).unwrap();
    let mut g = sam_backend_cuda::Gradient::zeros(device, start.len()).unwrap();
    for step in 0..STEPS {
        let images: Vec<f32> = noise(7 + step as u64).take(6 * IMAGE.len()).collect();
        let labels: Vec<u16> = (0..6).map(|sample| 3 * sample % 10).collect();
        network.set_batch(&images, &labels).unwrap();
        assert!(sam.step(&mut w, &mut g, &mut network).unwrap().outcome.steps());
    }
    let whole = w.read().unwrap();
    for (one, other) in in_groups.iter().map(|&bits| f32::from_bits(bits)).zip(&whole) {
        assert!((one - other).abs() <= 1e-5 * (1.0 + other.abs()), "{one} and {other}");
    }
}
