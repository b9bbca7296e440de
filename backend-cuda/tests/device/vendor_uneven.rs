//! Convolutions that are padded by more behind the image than before it, which cuDNN has in its graph interface only: on a GPU by the real
//! library, where it is, else by the stand-in on the interpreter. In f64 by the CPU backend.

use sam_backend_cuda::{ChosenKernel, CudaNetwork, KernelChoice, Precision, Product};
use sam_core::Pass;
use sam_model::{Description, Op, Padding, Shape, Tensor};

use crate::{
    twins::Twins,
    vendor::{Fault, call, planted, stand_in, with_libraries},
};

const SAMPLES: usize = 2;
const IMAGE: Shape = Shape::new(6, 8, 8);

/// An uneven convolution, one of whose input's gradient is added to another's, and an even one.
fn described() -> Description {
    let conv =
        |kernel, stride, padding| Op::Conv { channels: 8, kernel, stride, padding, groups: 1, bias: false };
    let described = Description::new(IMAGE, 3, |graph| {
        let x = graph.push("even", conv(3, 1, Padding::Explicit(1)), &[Tensor::INPUT])?;
        let a = graph.push("uneven", conv(3, 2, Padding::Same), &[x])?;
        let b = graph.push("other", conv(1, 2, Padding::Same), &[x])?;
        let x = graph.push("add", Op::Add, &[a, b])?;
        let x = graph.push("relu", Op::Relu, &[x])?;
        let x = graph.push("pool", Op::GlobalAvgPool, &[x])?;
        graph.push("head", Op::Dense { outputs: 3 }, &[x])
    });
    described.unwrap()
}

fn uneven(network: &CudaNetwork) -> Vec<&ChosenKernel> {
    network.kernels().iter().filter(|kernel| kernel.layer == "uneven").collect()
}

/// All three products are the library's in every precision, as exact as this crate's but for factors that the stand-in cuts off and this crate
/// rounds, and have the same bits each time.
#[test]
fn all_products_are_the_library_s() {
    let Some(turn) = with_libraries("all_products_are_the_library_s") else { return };
    if turn.device.check_precision(Precision::Bf16).is_err() {
        return;
    }
    for precision in [Precision::Single, Precision::Tf32, Precision::Bf16] {
        let errors = [KernelChoice::Vendor, KernelChoice::Native].map(|choice| {
            let (mut twins, w) = Twins::coarse(&turn, &described(), SAMPLES);
            twins.device.set_precision(precision).unwrap();
            twins.device.set_kernels(choice).unwrap();
            if choice == KernelChoice::Vendor && stand_in(&turn).is_some() {
                let chosen = uneven(&twins.device);
                assert!(
                    chosen.len() == 3
                        && chosen.iter().all(|kernel| kernel.vendor && kernel.reason.contains("graph")),
                    "{precision}: {chosen:?}"
                );
            }
            let [(_, found), (_, expected)] = twins.gradients(&turn, &w, Pass::Clean);
            let [(_, again), _] = twins.gradients(&turn, &w, Pass::Perturbed);
            assert!(found == again, "{precision}");
            let length =
                |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
            let apart = length(&mut found.iter().zip(&expected).map(|(a, b)| a - b));
            (apart / length(&mut expected.iter().copied())).sqrt()
        });
        let [library, own] = errors;
        let bound = match precision {
            Precision::Single => 1e-5,
            Precision::Tf32 => 5e-3,
            Precision::Bf16 => 5e-2,
        };
        assert!(library <= bound && library <= 4.0 * own + 1e-6, "{precision}: {errors:?}");
    }
}

/// Whatever the library refuses or cannot prepare is this crate's, with the reason; nothing of it is left.
#[test]
fn what_is_refused_is_native() {
    let Some(turn) = with_libraries("what_is_refused_is_native") else { return };
    let Some(library) = stand_in(&turn) else { return };
    let objects = || call::<usize>(&library, "vendor_stand_in_objects");
    let before = objects();
    for (fault, reason) in [
        (Some(Fault::NoEngine), "no engine for the graph"),
        (Some(Fault::Workspace), "MiB of workspace"),
        (Some(Fault::PlanOutOfMemory), "ALLOCATION_FAILED: CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR"),
    ] {
        let mut network =
            CudaNetwork::build_in(&turn.device, &described(), SAMPLES, Precision::Single).unwrap();
        planted(fault, || network.set_kernels(KernelChoice::Vendor)).unwrap();
        let chosen = uneven(&network);
        assert!(
            chosen.iter().all(|kernel| !kernel.vendor && kernel.reason.contains(reason)),
            "{fault:?}: {chosen:?}"
        );
    }
    assert_eq!(objects(), before);
}

/// `auto` takes what agrees and is faster, and nothing else.
#[test]
fn auto_tries_them() {
    let Some(turn) = with_libraries("auto_tries_them") else { return };
    if stand_in(&turn).is_none() {
        return;
    }
    // Verdicts are kept for the life of a device: every case has its own number of samples.
    for (fault, reason) in [
        (None, " ms, native "),
        (Some(Fault::WrongEntry), "which may be"),
        (Some(Fault::LowPrecision), "which may be"),
        (Some(Fault::Failing), "EXECUTION_FAILED"),
        (Some(Fault::Workspace), "MiB of workspace"),
    ] {
        let samples = 3 + fault.map_or(0, |fault| fault as usize);
        let mut network =
            CudaNetwork::build_in(&turn.device, &described(), samples, Precision::Single).unwrap();
        planted(fault, || network.set_kernels(KernelChoice::Auto)).unwrap();
        let chosen = uneven(&network);
        assert!(chosen.iter().all(|kernel| kernel.reason.contains(reason)), "{fault:?}: {chosen:?}");
        assert_eq!(
            chosen.iter().map(|kernel| kernel.product).collect::<Vec<_>>(),
            [Product::Forward, Product::WeightGradient, Product::InputGradient]
        );
        assert!(chosen.iter().all(|kernel| kernel.vendor == (fault.is_none())), "{fault:?}: {chosen:?}");
    }
}
