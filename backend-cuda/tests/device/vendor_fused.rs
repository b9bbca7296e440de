//! Convolutions together with the sums that normalisation wants, by cuDNN's graph interface: on a GPU by the real library, where it is,
//! else by the stand-in on the interpreter. In f64 by the CPU backend.

use sam_backend_cuda::{
    CudaNetwork, CudaSgd, CudaSpace, DeviceVec, KernelChoice, Precision, Product, StepGraph,
};
use sam_core::{Pass, Rule, Sam};
use sam_model::{Description, Op, Padding, Shape, Tensor};

use crate::{
    support::{Turn, bits},
    twins::{Twins, noise},
    vendor::{Fault, call, planted, stand_in, with_libraries},
};

const SAMPLES: usize = 2;
const IMAGE: Shape = Shape::new(6, 5, 8);

/// A residual block: a convolution that is padded behind the image only and normalised, one to which that is added and then normalised; behind
/// it one of channels that no tensor core takes.
fn block() -> Description {
    let conv = |channels, kernel, stride, padding| Op::Conv {
        channels,
        kernel,
        stride,
        padding,
        groups: 1,
        bias: false,
    };
    let described = Description::new(IMAGE, 3, |graph| {
        let a = graph.push("first", conv(8, 3, 2, Padding::Same), &[Tensor::INPUT])?;
        let x = graph.push("norm1", Op::BATCH_NORM, &[a])?;
        let x = graph.push("relu1", Op::Relu, &[x])?;
        let x = graph.push("second", conv(8, 3, 1, Padding::Explicit(1)), &[x])?;
        let x = graph.push("add", Op::Add, &[x, a])?;
        let x = graph.push("norm2", Op::BATCH_NORM, &[x])?;
        let x = graph.push("relu2", Op::Relu, &[x])?;
        let x = graph.push("odd", conv(5, 1, 1, Padding::Explicit(0)), &[x])?;
        let x = graph.push("norm3", Op::BATCH_NORM, &[x])?;
        let x = graph.push("pool", Op::GlobalAvgPool, &[x])?;
        graph.push("head", Op::Dense { outputs: 3 }, &[x])
    });
    described.unwrap()
}

/// The block on libraries' kernels, on images and weights that bfloat16 has exactly, and those weights.
fn twins(turn: &Turn, precision: Precision, fault: Option<Fault>) -> (Twins, Vec<f32>) {
    let (mut twins, w) = Twins::coarse(turn, &block(), SAMPLES);
    twins.device.set_precision(precision).unwrap();
    planted(fault, || twins.device.set_kernels(KernelChoice::Vendor)).unwrap();
    (twins, w)
}

/// What is said of each convolution's forward product with the sums behind it, by its name.
fn said(network: &CudaNetwork) -> Vec<(String, String)> {
    let forward = network.kernels().iter().filter(|kernel| kernel.product == Product::Forward);
    let said = forward.filter_map(|kernel| {
        let (_, said) = kernel.reason.split_once("; with the sums of the normalisation behind it: ")?;
        Some((kernel.layer.clone(), said.to_owned()))
    });
    said.collect()
}

/// The stand-in, on a device that has tensor cores.
fn prepared(test: &str) -> Option<Turn> {
    let turn = with_libraries(test)?;
    (stand_in(&turn).is_some() && turn.device.check_precision(Precision::Bf16).is_ok()).then_some(turn)
}

/// Moments of the convolution's f32 outputs are exact but for the rounding of sums of floats, whatever the outputs are rounded to; those
/// of what stands behind are as exact as what goes into it.
#[test]
fn statistics_are_those_of_f64() {
    let Some(turn) = prepared("statistics_are_those_of_f64") else { return };
    for (precision, behind) in [(Precision::Tf32, 2e-3), (Precision::Bf16, 1e-2)] {
        let (mut twins, w) = twins(&turn, precision, None);
        let taken: Vec<_> =
            said(&twins.device).into_iter().map(|(name, said)| (name, said.starts_with("taken"))).collect();
        let expected = [("first", true), ("second", true), ("odd", false)];
        assert_eq!(taken, expected.map(|(name, taken)| (name.to_owned(), taken)), "{precision}");
        let before = twins.device.statistics().unwrap();
        let params = DeviceVec::from_slice(&turn.device, &w).unwrap();
        let found = twins.device.batch_statistics(&params).unwrap();
        assert_eq!(twins.device.statistics().unwrap(), before, "{precision}");
        let wide: Vec<f64> = w.iter().map(|value| f64::from(*value)).collect();
        let expected = twins.host.batch_statistics(&wide).unwrap();
        for (tensor, bound) in twins.device.statistic_tensors().iter().zip([
            1e-6,
            1e-6,
            behind,
            behind,
            3.0 * behind,
            3.0 * behind,
        ]) {
            let largest =
                expected[tensor.range.clone()].iter().fold(0.0f64, |most, value| most.max(value.abs()));
            for c in tensor.range.clone() {
                let apart = (f64::from(found[c]) - expected[c]).abs() / largest;
                assert!(apart <= bound, "{precision}: {} is off by {apart:e}", tensor.name);
            }
        }
    }
}

/// Loss and gradient are as near to f64 as without, and have the same bits each time.
#[test]
fn gradients_are_as_exact_as_without() {
    let Some(turn) = prepared("gradients_are_as_exact_as_without") else { return };
    for precision in [Precision::Tf32, Precision::Bf16] {
        let errors = [None, Some(Fault::NoEngine)].map(|fault| {
            let (mut twins, w) = twins(&turn, precision, fault);
            let [(loss, found), (exact, expected)] = twins.gradients(&turn, &w, Pass::Clean);
            let [(again, same), _] = twins.gradients(&turn, &w, Pass::Perturbed);
            assert!(loss.to_bits() == again.to_bits() && found == same, "{precision}, {fault:?}");
            let square =
                |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
            let apart = square(&mut found.iter().zip(&expected).map(|(a, b)| a - b));
            ((loss - exact).abs() / exact, apart / square(&mut expected.iter().copied()))
        });
        let [(loss, fused), (_, apart)] = errors;
        let bound = if precision == Precision::Bf16 { 0.1 } else { 0.02 };
        assert!(
            loss <= bound / 10.0 && fused <= bound && fused <= 2.0 * apart + 1e-3,
            "{precision}: {errors:?}"
        );
    }
}

/// A recorded run of SAM's: what it came to, its launches if it was recorded, and why it was not.
fn run(
    turn: &Turn,
    chosen_with: Option<Fault>,
    run_with: Option<Fault>,
    recorded: bool,
) -> (Vec<u32>, Option<usize>, Option<String>) {
    let device = &turn.device;
    let mut network = CudaNetwork::build_in(device, &block(), SAMPLES, Precision::Bf16).unwrap();
    planted(chosen_with, || network.set_kernels(KernelChoice::Vendor)).unwrap();
    let start = network.initial_parameters(5);
    let sam = Sam::new(
        CudaSpace::new(device, start.len()).unwrap(),
        Rule::l2(0.05),
        CudaSgd::new(device, 0.05).unwrap(),
    );
    let w = DeviceVec::from_slice(device, &start).unwrap();
    let steps = StepGraph::new(sam, network, w).unwrap();
    let mut steps = if recorded { steps } else { steps.without_recording() };
    let images: Vec<f32> = noise(7).take(SAMPLES * IMAGE.len()).collect();
    steps.set_batch(&images, &[0, 2]).unwrap();
    planted(run_with, || (0..3).try_for_each(|_| steps.step().map(|_| ()))).unwrap();
    (bits(&steps.params().read().unwrap()), steps.launches().unwrap(), steps.unrecorded().map(str::to_owned))
}

/// The sweep that measures is saved for each convolution in both of a step's passes, and the one that adds; recorded, launched, loaded at
/// first use: the same bits.
#[test]
fn steps_are_recorded_with_fewer_launches() {
    let Some(turn) = prepared("steps_are_recorded_with_fewer_launches") else { return };
    let (expected, none, _) = run(&turn, None, None, false);
    assert_eq!(none, None);
    let (found, launches, _) = run(&turn, None, Some(Fault::LoadsAtFirstUse), true);
    assert_eq!(found, expected);
    let (found, launched, why) = run(&turn, None, Some(Fault::NeverCaptured), true);
    assert!(found == expected && launched.is_none(), "{why:?}");
    let (_, apart, _) = run(&turn, Some(Fault::NoEngine), None, true);
    // Two convolutions, one of them with an addition. The one that is padded behind the image only is this crate's otherwise, so that
    // its filters are brought to the library besides, and their gradient is taken from it.
    let (saved, added) = (2 + 1, 2);
    assert_eq!(launches.unwrap() + 2 * saved, apart.unwrap() + 2 * added);
}

/// Whatever the library refuses when kernels are chosen, the network is that without the graph interface, and says why.
#[test]
fn what_is_refused_is_computed_as_before() {
    let Some(turn) = prepared("what_is_refused_is_computed_as_before") else { return };
    let library = stand_in(&turn).unwrap();
    let objects = || call::<usize>(&library, "vendor_stand_in_objects");
    let before = objects();
    let mut expected = None;
    for (fault, reason) in [
        (Some(Fault::NoEngine), "no engine for the graph"),
        (Some(Fault::GraphBadParameter), "no engine for the graph"),
        (
            Some(Fault::PlanOutOfMemory),
            "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED: CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR",
        ),
    ] {
        let (mut twins, w) = twins(&turn, Precision::Bf16, fault);
        let all = said(&twins.device);
        assert!(
            all.len() == 3
                && all.iter().all(|(_, said)| said.starts_with("not taken") && said.contains(reason)),
            "{all:?}"
        );
        let [own, _] = twins.gradients(&turn, &w, Pass::Clean);
        assert_eq!(*expected.get_or_insert_with(|| own.clone()), own, "{fault:?}");
    }
    assert_eq!(objects(), before);
}

/// `auto` takes what agrees and is faster, and nothing else.
#[test]
fn auto_tries_what_is_fused() {
    let Some(turn) = prepared("auto_tries_what_is_fused") else { return };
    // Verdicts are kept for the life of a device: every case has its own number of samples.
    for (fault, reason) in [
        (None, " ms, apart "),
        (Some(Fault::FiltersLast), "which may be"),
        (Some(Fault::Failing), "EXECUTION_FAILED"),
        (Some(Fault::Workspace), "MiB of workspace"),
        (Some(Fault::WrongSums), "sum of channel"),
    ] {
        let samples = 3 + fault.map_or(0, |fault| fault as usize);
        let mut network = CudaNetwork::build_in(&turn.device, &block(), samples, Precision::Bf16).unwrap();
        planted(fault, || network.set_kernels(KernelChoice::Auto)).unwrap();
        let all = said(&network);
        let tried: Vec<_> = all.iter().filter(|(name, _)| name != "odd").collect();
        assert!(
            tried.len() == 2 && tried.iter().all(|(_, said)| said.contains(reason)),
            "{fault:?}: {all:?}"
        );
        // The stand-in is faster than interpreted kernels, if not with every product.
        assert_eq!(
            tried.iter().any(|(_, said)| said.starts_with("taken")),
            fault.is_none(),
            "{fault:?}: {all:?}"
        );
    }
}
