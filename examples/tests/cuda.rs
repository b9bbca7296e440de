//! The CUDA backend behind the command: on a GPU where there is one, on the interpreter of kernels elsewhere.
#![cfg(all(feature = "command", feature = "cuda", target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{env, path::PathBuf, sync::OnceLock};

use assert_cmd::Command;
use ndarray::Array4;
use sam_core::{Norm, Outcome, Pass, model::ImageShape};
use sam_examples::{
    data::{Augment, DataSource},
    training::{
        backend::{AnyLearner, Backend, BackendName},
        learner::{Batch, Learner},
        settings::{
            DataSettings, Method, NormExponent, ScheduleSettings, ScheduleShape, Settings, SgdSettings,
        },
        state::State,
    },
};

const DRIVER: &str = "SAM_CUDA_DRIVER";
const SHAPE: ImageShape = ImageShape::new(6, 6, 1);
const CLASSES: usize = 4;

/// The interpreter, among the libraries of this test's folder.
fn interpreter() -> PathBuf {
    env::current_exe().unwrap().with_file_name("libptx_interpreter_driver.so")
}

fn cuda() -> Backend {
    static DRIVER_IS_CHOSEN: OnceLock<()> = OnceLock::new();
    DRIVER_IS_CHOSEN.get_or_init(|| {
        if env::var_os(DRIVER).is_none() && !PathBuf::from("/dev/nvidiactl").exists() {
            // SAFETY: nothing else in the process reads or writes the environment meanwhile: all tests here pass this way.
            #[allow(unsafe_code, reason = "the variable is read once, later")]
            unsafe {
                env::set_var(DRIVER, interpreter());
            }
        }
    });
    Backend::open(BackendName::Cuda, 1).unwrap()
}

fn settings(model: &str, method: Method) -> Settings {
    Settings {
        seed: 3,
        epochs: 1,
        batch: 6,
        model: model.parse().unwrap(),
        label_smoothing: 0.1,
        data: DataSettings {
            name: DataSource::Digits,
            limit: None,
            label_noise: 0.0,
            augment: Augment::None,
        },
        method,
        sgd: SgdSettings { lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 5e-4, decoupled: false },
        schedule: ScheduleSettings { shape: ScheduleShape::Constant, warmup_epochs: 0 },
    }
}

const SAM: Method = Method::Sam { rho: 0.05, norm: NormExponent(Norm::L2) };

fn images(seed: usize) -> (Array4<f32>, Vec<u16>) {
    let value = |(n, y, x, _): (usize, usize, usize, usize)| {
        ((n * 31 + y * 7 + x * 3 + seed * 13) % 17) as f32 / 8.0 - 1.0
    };
    let labels = (0..6).map(|n| ((n + seed) % CLASSES) as u16).collect();
    (Array4::from_shape_fn((6, SHAPE.height, SHAPE.width, 1), value), labels)
}

fn step(learner: &mut AnyLearner, seed: usize) -> f64 {
    let (images, labels) = images(seed);
    let report = learner.step(Batch { images: images.view(), labels: &labels }, 0.02).unwrap();
    assert_eq!(report.outcome, Outcome::Descended);
    report.loss
}

fn learners(model: &str, method: Method) -> [AnyLearner; 2] {
    let settings = settings(model, method);
    let cpu = Backend::Cpu { threads: 1 };
    [&cpu, &cuda()].map(|backend| backend.learner(&settings, SHAPE, CLASSES).unwrap())
}

fn assert_close(found: &State, expected: &State, tolerance: f32) {
    found.check_against(expected).unwrap();
    for tensor in &expected.tensors {
        let values = &found.get(&tensor.name).unwrap().values;
        let largest = tensor.values.iter().fold(1e-2f32, |m, value| m.max(value.abs()));
        for (found, expected) in values.iter().zip(&tensor.values) {
            let error = (found - expected).abs() / largest;
            assert!(error <= tolerance, "{}: {found}, expected {expected}", tensor.name);
        }
    }
}

/// Begun on the CPU, continued on the GPU and back: the run that never left the CPU, to rounding.
#[test]
fn a_run_moves_between_the_backends() {
    for method in [SAM, Method::Sgd] {
        let [mut host, mut device] = learners("resnet-8", method);
        let [mut stayed, _] = learners("resnet-8", method);
        for seed in 0..2 {
            step(&mut host, seed);
        }
        device.import(&host.export().unwrap()).unwrap();
        assert_eq!(device.export().unwrap(), host.export().unwrap());
        for seed in 2..4 {
            step(&mut device, seed);
        }
        host.import(&device.export().unwrap()).unwrap();
        let last = step(&mut host, 4);
        let expected = (0..5).map(|seed| step(&mut stayed, seed)).last().unwrap();
        assert!((last - expected).abs() <= 1e-4 * expected, "{last}, expected {expected}");
        assert_close(&host.export().unwrap(), &stayed.export().unwrap(), 1e-3);
        let (images, labels) = images(9);
        let batch = Batch { images: images.view(), labels: &labels };
        let [found, expected] = [&mut device, &mut stayed].map(|learner| {
            learner.import(&host.export().unwrap()).unwrap();
            learner.evaluate(batch).unwrap()
        });
        assert!((found.loss - expected.loss).abs() <= 1e-4 * expected.loss);
        assert_eq!((found.correct, found.count), (expected.correct, expected.count));
    }
}

/// A batch that cannot be learned from changes nothing: not the weights, the momentum or the running statistics.
#[test]
fn a_batch_that_is_not_finite_leaves_no_trace() {
    for method in [SAM, Method::Sgd] {
        let [_, mut device] = learners("resnet-8", method);
        step(&mut device, 0);
        let before = device.export().unwrap();
        let (mut bad, labels) = images(1);
        bad[[2, 3, 3, 0]] = f32::NAN;
        let report = device.step(Batch { images: bad.view(), labels: &labels }, 0.02).unwrap();
        assert_eq!(report.outcome, Outcome::NonFinite(Pass::Clean));
        assert_eq!(device.export().unwrap(), before);
        step(&mut device, 1);
        assert_ne!(device.export().unwrap(), before);
    }
}

fn sam() -> Command {
    Command::cargo_bin("sam").unwrap()
}

#[test]
fn without_a_gpu_the_command_says_so_in_a_line() {
    for arguments in [
        &["bench", "--model", "mlp-4", "--image", "2x2x1"][..],
        &["train", "--epochs", "1", "--out", "/nowhere/run"],
        &["compare", "--seeds", "1", "--out", "/nowhere/comparison"],
    ] {
        let output =
            sam().args(arguments).args(["--backend", "cuda"]).env(DRIVER, "/nowhere/libcuda.so").output();
        let output = output.unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.lines().count() == 1 && text.contains("expected an NVIDIA GPU"), "{text}");
    }
}

#[test]
fn the_command_times_steps_on_a_device() {
    let output = sam()
        .args(["bench", "--backend", "cuda", "--model", "mlp-4", "--image", "2x2x1", "--batch", "4"])
        .args(["--steps", "9", "--json"])
        .env(DRIVER, env::var_os(DRIVER).unwrap_or_else(|| interpreter().into()))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8(output.stderr).unwrap());
    assert!(text.contains("\"sam_ms\":"), "{text}");
}
