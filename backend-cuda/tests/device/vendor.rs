//! Products by NVIDIA's libraries: on a GPU by the real ones, where they are, else by the stand-in on the interpreter.
//!
//! Without either the tests say that they were skipped, or fail if `SAM_REQUIRE_VENDOR=1`.

use std::{env, thread};

use libloading::Library;
use sam_backend_cuda::{
    ChosenKernel, CudaError, CudaNetwork, CudaSgd, CudaSpace, DeviceVec, Gradient, KernelChoice,
    NetworkError, Precision, Product, StepGraph,
};
use sam_core::{GradientOracle, Pass, Rule, Sam};
use sam_model::{Architecture, Description, Op, Padding, Shape, Tensor};

use crate::{
    support::{Turn, beside, device},
    twins::{Twins, noise},
};

#[path = "../../ptx-interpreter/vendor/src/fault/kind.rs"]
mod kind;

pub use kind::Fault;

const CLASSES: usize = 3;
const IMAGE: Shape = Shape::new(6, 5, 2);

/// A convolution of every kind: strided, padded, with a bias and without, 1x1, with a gradient that is added to another's; and
/// dense layers.
fn mixed() -> Description {
    let conv = |channels, kernel, stride, padding, bias| Op::Conv {
        channels,
        kernel,
        stride,
        padding: Padding::Explicit(padding),
        groups: 1,
        bias,
    };
    let described = Description::new(IMAGE, CLASSES, |graph| {
        let x = graph.push("stem", conv(5, 3, 1, 1, true), &[Tensor::INPUT])?;
        let a = graph.push("branch", conv(7, 3, 2, 1, false), &[x])?;
        let b = graph.push("shortcut", conv(7, 1, 2, 0, false), &[x])?;
        let x = graph.push("add", Op::Add, &[a, b])?;
        let x = graph.push("pointwise", conv(4, 1, 1, 0, true), &[x])?;
        let x = graph.push("relu", Op::Relu, &[x])?;
        let x = graph.push("even", conv(3, 2, 1, 0, true), &[x])?;
        let x = graph.push("flatten", Op::Flatten, &[x])?;
        let x = graph.push("hidden", Op::Dense { outputs: 9 }, &[x])?;
        graph.push("head", Op::Dense { outputs: CLASSES }, &[x])
    });
    described.unwrap()
}

/// A device with the libraries.
pub fn with_libraries(test: &str) -> Option<Turn> {
    let turn = device(test)?;
    match turn.device.check_kernels(KernelChoice::Vendor) {
        Ok(()) => {
            println!("{test}: {}", turn.device.libraries().unwrap());
            plant(0);
            Some(turn)
        }
        Err(error) => {
            let required = env::var_os("SAM_REQUIRE_VENDOR").is_some_and(|value| value == "1");
            assert!(!required, "{test}: SAM_REQUIRE_VENDOR=1, but {error}");
            println!("{test}: skipped: {error}");
            None
        }
    }
}

/// The stand-in, if that is what is tested on.
pub fn stand_in(turn: &Turn) -> Option<Library> {
    turn.device.synchronisations()?;
    let path = beside("libvendor_stand_in.so")?;
    // SAFETY: the device has opened the same library.
    #[allow(unsafe_code, reason = "opens a library")]
    Some(unsafe { Library::new(path) }.unwrap())
}

/// Calls a function of the stand-in's.
pub fn call<R>(library: &Library, name: &str) -> R {
    // SAFETY: these functions only tell numbers.
    #[allow(unsafe_code, reason = "calls a function of a library")]
    unsafe {
        library.get::<unsafe extern "C" fn() -> R>(name).unwrap()()
    }
}

/// Does something while a fault is planted in the stand-in, if one is; elsewhere it is only done.
pub fn planted<R>(fault: Option<Fault>, work: impl FnOnce() -> R) -> R {
    plant(fault.map_or(0, |fault| fault as u32));
    let result = work();
    plant(0);
    result
}

fn plant(fault: u32) {
    let Some(path) = beside("libvendor_stand_in.so") else { return };
    // SAFETY: the function only keeps the number.
    #[allow(unsafe_code, reason = "calls a function of a library")]
    unsafe {
        let library = Library::new(path).unwrap();
        library.get::<unsafe extern "C" fn(u32)>("vendor_stand_in_plant").unwrap()(fault);
    }
}

/// The real libraries may have no kernel for a product, odd numbers of channels above all, and say so; the stand-in has all.
fn may_refuse(turn: &Turn, kernel: &ChosenKernel) -> bool {
    let refused =
        ["NOT_SUPPORTED", "BAD_PARAM", "no algorithm"].iter().any(|part| kernel.reason.contains(part));
    stand_in(turn).is_none() && !kernel.vendor && refused
}

fn assert_all_vendor(turn: &Turn, kernels: &[ChosenKernel]) {
    // Six convolutions and dense layers with three products each, but for the first one's input gradient.
    assert_eq!(kernels.len(), 3 * 7 - 1, "{kernels:?}");
    for kernel in kernels {
        assert!(kernel.vendor || may_refuse(turn, kernel), "{kernel}");
    }
    let first = kernels.iter().filter(|kernel| kernel.layer == "stem");
    assert!(
        first.clone().count() == 2 && first.clone().all(|kernel| kernel.product != Product::InputGradient)
    );
}

/// The gradients of a network against the CPU's in f64, and the last bits of a second time.
#[test]
fn vendor_products_have_the_right_values() {
    let Some(turn) = with_libraries("vendor_products_have_the_right_values") else { return };
    for samples in [1, 3, 8] {
        let mut twins = Twins::new(&turn, &mixed(), samples);
        twins.device.set_kernels(KernelChoice::Vendor).unwrap();
        assert_all_vendor(&turn, twins.device.kernels());
        let (error, tensor) = twins.worst(&turn, Pass::Clean);
        assert!(error <= 1e-4, "{samples} samples: the gradient of {tensor} is off by {error:e}");
        let w = twins.parameters();
        let bits = |twins: &mut Twins| {
            let [(loss, gradient), _] = twins.gradients(&turn, &w, Pass::Perturbed);
            (loss.to_bits(), gradient.iter().map(|value| value.to_bits()).collect::<Vec<_>>())
        };
        assert_eq!(bits(&mut twins), bits(&mut twins), "{samples} samples");
    }
}

/// On tensor cores as exact as the native kernels.
#[test]
fn vendor_products_have_the_precision_that_is_set() {
    let Some(turn) = with_libraries("vendor_products_have_the_precision_that_is_set") else { return };
    let mut twins = Twins::new(&turn, &mixed(), 4);
    let w = twins.parameters();
    for (precision, bound) in [(Precision::Tf32, 4e-3), (Precision::Bf16, 3e-2)] {
        if let Err(error) = twins.device.set_precision(precision) {
            println!("{precision}: skipped: {error}");
            continue;
        }
        twins.device.set_kernels(KernelChoice::Native).unwrap();
        let [(_, native), _] = twins.gradients(&turn, &w, Pass::Clean);
        twins.device.set_kernels(KernelChoice::Vendor).unwrap();
        assert_all_vendor(&turn, twins.device.kernels());
        let [(_, vendor), (_, exact)] = twins.gradients(&turn, &w, Pass::Clean);
        let largest = exact.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        let worst = |found: &[f64]| {
            found.iter().zip(&exact).fold(0.0f64, |most, (a, b)| most.max((a - b).abs())) / largest
        };
        assert!(worst(&native) <= bound && worst(&vendor) <= 2.0 * bound, "{precision}: {}", worst(&vendor));
        assert!(worst(&vendor) > 1e-6, "{precision}: nothing was rounded");
    }
}

/// Every product in bf16 agrees with the native one in a trial; what is wrong is seen, though results are of 8 bits.
#[test]
fn auto_tries_products_in_bf16() {
    let Some(turn) = with_libraries("auto_tries_products_in_bf16") else { return };
    if stand_in(&turn).is_none() || turn.device.check_precision(Precision::Bf16).is_err() {
        return;
    }
    let mut twins = Twins::new(&turn, &mixed(), 7);
    twins.device.set_precision(Precision::Bf16).unwrap();
    twins.device.set_kernels(KernelChoice::Auto).unwrap();
    let kernels = twins.device.kernels();
    assert!(kernels.iter().all(|kernel| kernel.reason.contains("ms, native")), "{kernels:?}");
    assert!(kernels.iter().any(|kernel| kernel.vendor), "{kernels:?}");
    let mut twins = Twins::new(&turn, &mixed(), 9);
    twins.device.set_precision(Precision::Bf16).unwrap();
    planted(Some(Fault::FiltersLast), || twins.device.set_kernels(KernelChoice::Auto)).unwrap();
    for kernel in twins.device.kernels() {
        let convolution = kernel.reason.contains("cuDNN");
        assert_eq!(kernel.reason.contains("which may be"), convolution, "{kernel}");
        assert!(!(kernel.vendor && convolution), "{kernel}");
    }
}

/// SAM on a residual network with normalisation, recorded and launched: the same bits, and nothing waits. In f32 and in bf16.
#[test]
fn vendor_steps_are_recorded() {
    let Some(turn) = with_libraries("vendor_steps_are_recorded") else { return };
    for precision in [Precision::Single, Precision::Bf16] {
        if turn.device.check_precision(precision).is_ok() {
            steps_are_recorded(&turn, precision);
        }
    }
}

fn steps_are_recorded(turn: &Turn, precision: Precision) {
    let device = &turn.device;
    let (image, classes, samples) = (Shape::new(8, 8, 1), 10, 3);
    let images: Vec<f32> = noise(7).take(samples * image.len()).collect();
    let run = |recorded: bool| {
        let mut network =
            CudaNetwork::new(device, &"resnet-8".parse().unwrap(), image, classes, samples).unwrap();
        network.set_precision(precision).unwrap();
        network.set_kernels(KernelChoice::Vendor).unwrap();
        let start = network.initial_parameters(5);
        let base = CudaSgd::new(device, 0.05).unwrap().with_momentum(0.9, start.len()).unwrap();
        let sam = Sam::new(CudaSpace::new(device, start.len()).unwrap(), Rule::l2(0.05), base);
        let w = DeviceVec::from_slice(device, &start).unwrap();
        let steps = StepGraph::new(sam, network, w).unwrap();
        let mut steps = if recorded { steps } else { steps.without_recording() };
        steps.set_batch(&images, &[0, 3, 9]).unwrap();
        let reports: Vec<_> = (0..3)
            .map(|_| {
                let before = device.synchronisations();
                let report = steps.step().unwrap();
                assert_eq!(device.synchronisations(), before, "a step waits");
                report
            })
            .collect();
        assert_eq!(steps.launches().unwrap().is_some(), recorded);
        let losses: Vec<u64> =
            reports.last().map(|report| report.clean.value().unwrap().to_bits()).into_iter().collect();
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        (losses, bits(steps.params().read().unwrap()))
    };
    let launched = run(false);
    assert_eq!(run(true), launched);
}

/// A short run of SAM on the libraries' kernels, with a fault planted from its first step on: what it came to, whether its steps were
/// recorded, and why not.
fn run_with(turn: &Turn, fault: Option<Fault>) -> (Vec<u32>, bool, Option<String>) {
    let (image, samples) = (Shape::new(8, 8, 1), 3);
    let mut network = CudaNetwork::new(&turn.device, &"lenet".parse().unwrap(), image, 10, samples).unwrap();
    network.set_kernels(KernelChoice::Vendor).unwrap();
    let start = network.initial_parameters(5);
    let base = CudaSgd::new(&turn.device, 0.05).unwrap();
    let sam = Sam::new(CudaSpace::new(&turn.device, start.len()).unwrap(), Rule::l2(0.05), base);
    let w = DeviceVec::from_slice(&turn.device, &start).unwrap();
    let mut steps = StepGraph::new(sam, network, w).unwrap();
    let images: Vec<f32> = noise(7).take(samples * image.len()).collect();
    steps.set_batch(&images, &[0, 3, 9]).unwrap();
    planted(fault, || (0..4).try_for_each(|_| steps.step().map(|_| ()))).unwrap();
    let bits = steps.params().read().unwrap().into_iter().map(f32::to_bits).collect();
    (bits, steps.launches().unwrap().is_some(), steps.unrecorded().map(str::to_owned))
}

/// What a library loads at first use is loaded before anything is recorded.
#[test]
fn libraries_that_load_at_first_use_are_recorded() {
    let Some(turn) = with_libraries("libraries_that_load_at_first_use_are_recorded") else { return };
    if stand_in(&turn).is_none() {
        return;
    }
    let (expected, recorded, _) = run_with(&turn, None);
    assert!(recorded);
    assert_eq!(run_with(&turn, Some(Fault::LoadsAtFirstUse)), (expected, true, None));
}

/// A library that cannot be recorded costs the recording and nothing else, and it is said why.
#[test]
fn what_cannot_be_recorded_is_launched() {
    let Some(turn) = with_libraries("what_cannot_be_recorded_is_launched") else { return };
    if stand_in(&turn).is_none() {
        return;
    }
    let (expected, ..) = run_with(&turn, None);
    let (found, recorded, why) = run_with(&turn, Some(Fault::NeverCaptured));
    assert_eq!(found, expected);
    assert!(!recorded && why.as_ref().is_some_and(|why| why.contains("cudnnConvolutionForward")), "{why:?}");
}

/// That is how the older functions of cuDNN say that they don't have a shape.
#[test]
fn a_wrong_parameter_is_a_refusal() {
    let Some(turn) = with_libraries("a_wrong_parameter_is_a_refusal") else { return };
    if stand_in(&turn).is_none() {
        return;
    }
    let mut twins = Twins::new(&turn, &mixed(), 2);
    planted(Some(Fault::BadParameter), || twins.device.set_kernels(KernelChoice::Vendor)).unwrap();
    for kernel in twins.device.kernels() {
        assert_eq!(kernel.vendor, !kernel.reason.contains("BAD_PARAM"), "{kernel}");
        assert_eq!(kernel.vendor, kernel.reason.contains("cuBLASLt"), "{kernel}");
    }
    assert!(twins.worst(&turn, Pass::Clean).0 <= 1e-4);
}

/// What was tried is what is used: batches of another size are this crate's.
#[test]
fn smaller_batches_are_native() {
    let Some(turn) = with_libraries("smaller_batches_are_native") else { return };
    let Some(library) = stand_in(&turn) else { return };
    let products = || call::<u64>(&library, "vendor_stand_in_products");
    let mut twins = Twins::new(&turn, &mixed(), 4);
    twins.device.set_kernels(KernelChoice::Vendor).unwrap();
    let before = products();
    assert!(twins.worst(&turn, Pass::Clean).0 <= 1e-4);
    assert_eq!(products() - before, 3 * 7 - 1);
    twins.set_batch(3);
    let before = products();
    assert!(twins.worst(&turn, Pass::Clean).0 <= 1e-4);
    assert_eq!(products(), before);
}

/// A context is a thread's: libraries that are opened on another than the device find theirs too.
#[test]
fn kernels_are_chosen_on_any_thread() {
    let Some(turn) = with_libraries("kernels_are_chosen_on_any_thread") else { return };
    let device = sam_backend_cuda::Device::new(0).unwrap();
    let mut network =
        CudaNetwork::new(&device, &"mlp-3".parse().unwrap(), Shape::new(2, 2, 1), 2, 2).unwrap();
    let choose = || network.set_kernels(KernelChoice::Auto).map(|()| network.kernels().to_vec());
    let kernels = thread::scope(|scope| scope.spawn(choose).join().unwrap()).unwrap();
    let tried = |kernel: &ChosenKernel| kernel.reason.contains("ms, native") || may_refuse(&turn, kernel);
    assert!(kernels.iter().all(tried), "{kernels:?}");
}

/// Descriptors go with the network that they were made for.
#[test]
fn networks_leave_no_descriptors() {
    let Some(turn) = with_libraries("networks_leave_no_descriptors") else { return };
    let Some(library) = stand_in(&turn) else { return };
    let objects = || call::<usize>(&library, "vendor_stand_in_objects");
    let before = objects();
    let mut twins = Twins::new(&turn, &mixed(), 2);
    twins.device.set_kernels(KernelChoice::Vendor).unwrap();
    assert!(objects() > before);
    twins.device.set_kernels(KernelChoice::Auto).unwrap();
    twins.device.set_kernels(KernelChoice::Vendor).unwrap();
    drop(twins);
    assert_eq!(objects(), before);
}

/// The stand-in is faster than interpreted kernels, so that all that agrees is taken; whatever is wrong with it is not.
#[test]
fn auto_takes_what_agrees_and_is_faster() {
    let Some(turn) = with_libraries("auto_takes_what_agrees_and_is_faster") else { return };
    if stand_in(&turn).is_none() {
        return;
    }
    // Verdicts are kept for the life of a device: every case has its own number of samples.
    let cases = [
        (None, "", ""),
        (Some(Fault::WrongEntry), "which may be", "a wrong entry"),
        (Some(Fault::LowPrecision), "which may be", "factors of a lower precision"),
        (Some(Fault::Unsupported), "NOT_SUPPORTED", "not supported"),
        (Some(Fault::Failing), "EXECUTION_FAILED", "failing"),
        (Some(Fault::Workspace), "MiB of workspace", "too much workspace"),
        (Some(Fault::OutOfMemory), "ALLOC", "no memory"),
    ];
    for (fault, reason, what) in cases {
        let samples = 8 + fault.map_or(0, |fault| fault as usize);
        let mut twins = Twins::new(&turn, &mixed(), samples);
        planted(fault, || twins.device.set_kernels(KernelChoice::Auto)).unwrap();
        if fault.is_none() {
            // All agree, and not all are slower than interpreted kernels.
            let kernels = twins.device.kernels();
            assert!(kernels.iter().all(|kernel| kernel.reason.contains("ms, native")), "{kernels:?}");
            assert!(kernels.iter().any(|kernel| kernel.vendor), "{kernels:?}");
        } else {
            for kernel in twins.device.kernels() {
                assert!(!kernel.vendor && kernel.reason.contains(reason), "{what}: {kernel}");
            }
        }
        assert!(twins.worst(&turn, Pass::Clean).0 <= 1e-4, "{what}");
    }
    // Filters that lie in another order are found in all but the products of matrices, whose they are not.
    let mut twins = Twins::new(&turn, &mixed(), 30);
    planted(Some(Fault::FiltersLast), || twins.device.set_kernels(KernelChoice::Auto)).unwrap();
    for kernel in twins.device.kernels() {
        assert_eq!(kernel.vendor, kernel.reason.contains("cuBLASLt"), "{kernel}");
    }
}

/// Without faults but slow, it is left alone. On a network whose interpreted kernels take less than that.
#[test]
fn auto_leaves_what_is_slow() {
    let Some(turn) = with_libraries("auto_leaves_what_is_slow") else { return };
    if stand_in(&turn).is_none() {
        return;
    }
    let mut network =
        CudaNetwork::new(&turn.device, &"mlp-3".parse().unwrap(), Shape::new(2, 2, 1), 2, 2).unwrap();
    planted(Some(Fault::Slow), || network.set_kernels(KernelChoice::Auto)).unwrap();
    for kernel in network.kernels() {
        assert!(!kernel.vendor && kernel.reason.contains("ms, native"), "{kernel}");
    }
}

/// Equal shapes of one device choose alike, and are tried once.
#[test]
fn a_trial_is_made_once() {
    let Some(turn) = with_libraries("a_trial_is_made_once") else { return };
    let Some(library) = stand_in(&turn) else { return };
    let products = || call::<u64>(&library, "vendor_stand_in_products");
    let build = || {
        let model: Architecture = "resnet-8".parse().unwrap();
        let mut network = CudaNetwork::new(&turn.device, &model, Shape::new(8, 8, 1), 10, 2).unwrap();
        network.set_kernels(KernelChoice::Auto).unwrap();
        network.kernels().iter().map(|kernel| kernel.vendor).collect::<Vec<_>>()
    };
    let before = products();
    let first = build();
    assert!(products() > before);
    let before = products();
    assert_eq!(build(), first);
    assert_eq!(products(), before);
}

/// Where the library is asked for and fails, the error says which call it was.
#[test]
fn failures_name_the_library_and_its_function() {
    let Some(turn) = with_libraries("failures_name_the_library_and_its_function") else { return };
    if stand_in(&turn).is_none() {
        return;
    }
    let model = |text: &str| text.parse().unwrap();
    for (name, image, expected) in [
        (
            "mlp-4",
            Shape::new(2, 2, 1),
            ["cuBLASLt 13.0.0", "cublasLtMatmul", "CUBLAS_STATUS_EXECUTION_FAILED"],
        ),
        (
            "lenet",
            Shape::new(8, 8, 1),
            ["cuDNN 9.10.2", "cudnnConvolutionForward", "CUDNN_STATUS_EXECUTION_FAILED"],
        ),
    ] {
        let mut network = CudaNetwork::new(&turn.device, &model(name), image, 3, 1).unwrap();
        network.set_kernels(KernelChoice::Vendor).unwrap();
        network.set_batch(&vec![0.5; image.len()], &[1]).unwrap();
        let w = DeviceVec::from_slice(&turn.device, &network.initial_parameters(0)).unwrap();
        let mut g = Gradient::zeros(&turn.device, w.len()).unwrap();
        let result = planted(Some(Fault::Failing), || network.gradient(&w, &mut g, Pass::Clean));
        let Err(NetworkError::Device(error @ CudaError::Driver { .. })) = result else {
            panic!("{name}: {:?}", result.map(|_| ()));
        };
        let text = error.to_string();
        assert!(expected.iter().all(|part| text.contains(part)) && text.contains("interpreter"), "{text}");
    }
}
