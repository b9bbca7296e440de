//! The CUDA backend behind the command: on a GPU where there is one, on the interpreter of kernels elsewhere.
#![cfg(all(feature = "command", feature = "cuda", target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    env,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Stdio,
    sync::OnceLock,
    thread,
    time::Duration,
};

use assert_cmd::Command;
use ndarray::{Array4, s};
use sam_backend_cuda::{CudaNetwork, DeviceImages, NetworkError};
use sam_core::{Average, Norm, Outcome, Pass, average::Weighting, model::ImageShape};
use sam_examples::{
    data::{Augment, BatchMaker, DataSource, Dataset, ImageSet, epoch_order},
    training::{
        average::Which,
        backend::{AnyLearner, Backend, BackendName},
        cpu::CpuLearner,
        cuda::{CudaLearner, augmentation},
        learner::{Batch, Evaluation, Learner, LearnerError, StepReport},
        metrics::EpochMetrics,
        settings::{
            AverageSettings, DataSettings, Method, NormExponent, ScheduleSettings, ScheduleShape, Settings,
            SgdSettings,
        },
        state::State,
        trainer::Trainer,
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
        batch: 6.into(),
        model: model.parse().unwrap(),
        label_smoothing: 0.1,
        data: DataSettings {
            name: DataSource::Digits,
            limit: None,
            label_noise: 0.0,
            augment: Augment::None,
        },
        method,
        sgd: SgdSettings {
            lr: 0.1,
            momentum: 0.9,
            nesterov: true,
            weight_decay: 5e-4,
            decoupled: false,
            clip_norm: None,
        },
        schedule: ScheduleSettings { shape: ScheduleShape::Constant, warmup_epochs: 0 },
        average: AverageSettings::NONE,
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
    for method in [
        SAM,
        Method::Sgd,
        Method::Gsam { rho: 0.05, alpha: 0.3 },
        Method::Wsam { rho: 0.05, gamma: 0.8 },
        Method::LookSam { rho: 0.05, k: 2, alpha: 0.7 },
        Method::FriendlySam { rho: 0.05, sigma: 1.0, lambda: 0.9 },
    ] {
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
    let look = Method::LookSam { rho: 0.05, k: 2, alpha: 0.7 };
    let friendly = Method::FriendlySam { rho: 0.05, sigma: 1.0, lambda: 0.9 };
    for method in [SAM, Method::Sgd, Method::Gsam { rho: 0.05, alpha: 0.3 }, look, friendly] {
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

/// A recorded step is the step: same losses, same state, bit for bit, also after an evaluation and another batch size.
#[test]
fn recording_changes_no_bit() {
    let Backend::Cuda(device) = cuda() else { panic!("the CUDA backend was opened") };
    let (asam, wsam) = (Method::Asam { rho: 0.5, eta: 0.01 }, Method::Wsam { rho: 0.05, gamma: 0.8 });
    for (method, model) in [(SAM, "resnet-8"), (Method::Sgd, "mlp-5"), (asam, "mlp-5"), (wsam, "mlp-5")] {
        let settings = settings(model, method);
        let learner = || CudaLearner::new(&device, &settings, SHAPE, CLASSES).unwrap();
        let (mut recorded, mut launched) = (learner(), learner().without_recording());
        for (seed, size) in [(0, 6), (1, 6), (2, 4), (3, 6), (4, 6)] {
            let (images, labels) = images(seed);
            let images = images.slice(s![..size, .., .., ..]);
            let batch = Batch { images, labels: &labels[..size] };
            let [found, expected] = [&mut recorded, &mut launched].map(|learner| {
                let report = learner.step(batch, 0.02 / (seed + 1) as f32).unwrap();
                assert!(report.in_gradients > Duration::ZERO);
                let evaluation = learner.evaluate(batch).unwrap();
                (report.loss.to_bits(), report.outcome, evaluation.loss.to_bits())
            });
            assert_eq!(found, expected, "step {seed}");
            assert_eq!(launched.launches().unwrap(), None);
            assert!(recorded.launches().unwrap().is_some_and(|launches| launches > 15), "step {seed}");
        }
        assert_eq!(recorded.export().unwrap(), launched.export().unwrap());
    }
}

/// Images of bytes without a pattern.
fn dataset(shape: ImageShape, count: usize) -> Dataset {
    let set = |salt: usize| ImageSet {
        pixels: (0..count * shape.len())
            .map(|i| ((i + salt) * 7919 % 1013 % 256) as u8)
            .collect::<Vec<_>>()
            .into(),
        labels: (0..count).map(|i| (i * 5 % CLASSES) as u16).collect(),
    };
    Dataset { name: "made up", shape, classes: CLASSES, train: set(0), test: set(3) }
}

/// Every pixel and label of batches made on the device is the host's, bit for bit.
#[test]
fn batches_made_on_the_device_are_the_hosts() {
    let Backend::Cuda(device) = cuda() else { panic!("the CUDA backend was opened") };
    let (count, seed) = (40, u64::MAX - 5);
    for shape in [ImageShape::new(8, 8, 1), ImageShape::new(9, 13, 3)] {
        let dataset = dataset(shape, count);
        let mut maker = BatchMaker::new(&dataset, 16).unwrap();
        let tables = maker.standardizer().tables().to_vec();
        let (pixels, labels) = (dataset.train.pixels.all().unwrap(), &dataset.train.labels);
        let mut images = DeviceImages::new(&device.gpu, shape, &pixels, labels, &tables).unwrap();
        let model = "mlp-4".parse().unwrap();
        let mut network = CudaNetwork::new(&device.gpu, &model, shape, CLASSES, 16).unwrap();
        let mut plain = Vec::new();
        for augment in [Augment::None, Augment::Basic, Augment::Cutout] {
            for epoch in [0, 1, 1 << 40] {
                let order = epoch_order(seed, epoch, count);
                images.set_order(&order).unwrap();
                for range in [0..16, 16..32, 33..40] {
                    let augmentation = augmentation(augment, seed, epoch);
                    network.set_batch_from(&images, range.clone(), augmentation.as_ref()).unwrap();
                    let (found, found_labels) = network.batch().unwrap();
                    let expected = maker.train(&order[range.clone()], augment, seed, epoch).unwrap();
                    let bits = |x: &f32| x.to_bits();
                    let expected: Vec<u32> = expected.iter().map(bits).collect();
                    assert_eq!(found.iter().map(bits).collect::<Vec<_>>(), expected, "{augment}, {range:?}");
                    let expected: Vec<u32> = order[range].iter().map(|&i| u32::from(labels[i])).collect();
                    assert_eq!(found_labels, expected);
                    plain.push(found);
                }
            }
        }
        // The test would not notice a kernel that draws nothing if the host did not either.
        assert!(plain[..9].iter().zip(&plain[9..18]).all(|(plain, augmented)| plain != augmented));
        assert!(plain[9..18].iter().zip(&plain[18..]).all(|(basic, cutout)| basic != cutout));
        let error = images.set_order(&[0, count]).unwrap_err().to_string();
        assert!(error.contains("image of an order") && error.contains("40"), "{error}");
        let error = network.set_batch_from(&images, 30..41, None).unwrap_err().to_string();
        assert!(error.contains("expected 40 entries, found 41"), "{error}");
        let other = ImageShape::new(shape.width + 1, shape.height, shape.channels);
        let mut network = CudaNetwork::new(&device.gpu, &model, other, CLASSES, 16).unwrap();
        assert!(matches!(network.set_batch_from(&images, 0..4, None), Err(NetworkError::Images { .. })));
    }
}

/// Brings every batch from the host.
struct Bringing(CudaLearner);

impl Learner for Bringing {
    fn step(&mut self, batch: Batch<'_>, rate: f32) -> Result<StepReport, LearnerError> {
        self.0.step(batch, rate)
    }

    fn evaluate(&mut self, batch: Batch<'_>) -> Result<Evaluation, LearnerError> {
        self.0.evaluate(batch)
    }

    fn export(&mut self) -> Result<State, LearnerError> {
        self.0.export()
    }

    fn import(&mut self, state: &State) -> Result<(), LearnerError> {
        self.0.import(state)
    }

    fn parameter_count(&self) -> usize {
        self.0.parameter_count()
    }
}

/// A run whose images are on the device has the losses and the weights of one that brings each batch.
#[test]
fn a_run_on_images_of_the_devices_is_the_run() {
    let Backend::Cuda(device) = cuda() else { panic!("the CUDA backend was opened") };
    let dataset = dataset(SHAPE, 21);
    let mut settings = settings("mlp-5", SAM);
    (settings.epochs, settings.data.augment, settings.data.label_noise) = (2, Augment::Cutout, 0.3);
    let learner = || CudaLearner::new(&device, &settings, SHAPE, CLASSES).unwrap();
    let mut here = Trainer::new(&settings, &dataset, "data", learner()).unwrap();
    let mut brought = Trainer::new(&settings, &dataset, "data", Bringing(learner())).unwrap();
    while !here.finished() {
        while !here.at_epoch_end() {
            here.step().unwrap();
            brought.step().unwrap();
        }
        let (found, expected) = (here.end_epoch(true).unwrap(), brought.end_epoch(true).unwrap());
        assert_eq!(found.train_loss.to_bits(), expected.train_loss.to_bits());
        assert_eq!(found.test_loss, expected.test_loss);
    }
    assert_eq!(here.state().unwrap(), brought.state().unwrap());
}

/// Clipped steps and both averages.
fn averaged() -> Settings {
    let mut settings = settings("resnet-8", SAM);
    settings.epochs = 3;
    settings.data.augment = Augment::Basic;
    settings.sgd.lr = 0.02;
    settings.sgd.clip_norm = Some(0.5);
    settings.average = AverageSettings { ema: Some(0.8), swa_from: Some(2) };
    settings
}

fn values(state: &State, group: &str) -> Vec<f32> {
    state.group(group).flat_map(|tensor| &tensor.values).copied().collect()
}

/// Averages on the device have the bits of the host's over the same weights, leave the run alone and wait for nothing; given
/// the same state both backends evaluate them alike.
#[test]
fn averages_on_the_device_are_the_hosts() {
    let Backend::Cuda(device) = cuda() else { panic!("the CUDA backend was opened") };
    let (settings, dataset) = (averaged(), dataset(SHAPE, 21));
    let plain = Settings { average: AverageSettings::NONE, ..settings.clone() };
    let learner = |settings| CudaLearner::new(&device, settings, SHAPE, CLASSES).unwrap();
    let mut trainer = Trainer::new(&settings, &dataset, "data", learner(&settings)).unwrap();
    let mut without = Trainer::new(&plain, &dataset, "data", learner(&plain)).unwrap();
    let start = trainer.state().unwrap();
    let zeros = |group| vec![0.0; values(&start, group).len()];
    let ema = |group| {
        let mut average = Average::uniform(zeros(group));
        average.weighting = Weighting::Exponential { decay: 0.8 };
        average
    };
    let [mut weights, mut statistics] = ["weights/", "statistics/"].map(ema);
    let mut swa = Average::uniform(zeros("weights/"));
    while !trainer.finished() {
        trainer.step().unwrap();
        without.step().unwrap();
        assert!(trainer.learner().launches().unwrap().is_some(), "steps are recorded");
        let state = trainer.state().unwrap();
        weights.add(&values(&state, "weights/")).unwrap();
        statistics.add(&values(&state, "statistics/")).unwrap();
        if trainer.at_epoch_end() {
            if trainer.epoch() >= 1 {
                swa.add(&values(&state, "weights/")).unwrap();
            }
            trainer.end_epoch(true).unwrap();
            without.end_epoch(true).unwrap();
        }
    }
    let state = trainer.state().unwrap();
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    for (group, average) in
        [("ema.weights/", &weights), ("ema.statistics/", &statistics), ("swa.weights/", &swa)]
    {
        assert_eq!(bits(&values(&state, group)), bits(average.mean()), "{group}");
    }
    assert_ne!(weights.mean(), swa.mean());
    let is_own = |name: &str| !name.contains("ema.") && !name.contains("swa.");
    let own = state.tensors.iter().filter(|tensor| is_own(&tensor.name)).cloned().collect();
    assert_eq!(State { tensors: own }, without.state().unwrap());
    for (with, without) in trainer.history().iter().zip(without.history()) {
        assert_eq!((with.train_loss, with.test_loss), (without.train_loss, without.test_loss));
    }

    let mut learner = learner(&settings);
    let before = device.gpu.synchronisations();
    learner.add_to_average(Which::Ema).unwrap();
    learner.add_to_average(Which::Swa).unwrap();
    assert_eq!(device.gpu.synchronisations(), before, "an average waited for the device");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.safetensors");
    trainer.save(&path).unwrap();
    let learner = CpuLearner::new(&settings, SHAPE, CLASSES, 1).unwrap();
    let mut host = Trainer::new(&settings, &dataset, "data", learner).unwrap();
    host.restore(&path).unwrap();
    assert_eq!(host.state().unwrap(), state);
    for (found, expected) in [
        (trainer.evaluate_ema().unwrap().unwrap(), host.evaluate_ema().unwrap().unwrap()),
        (trainer.evaluate_swa().unwrap().unwrap(), host.evaluate_swa().unwrap().unwrap()),
    ] {
        assert!((found.loss - expected.loss).abs() <= 1e-4 * expected.loss, "{found:?}, {expected:?}");
        assert!((found.loss - trainer.history()[2].test_loss.unwrap()).abs() > 1e-4, "it is an average's");
    }
    assert_eq!(trainer.state().unwrap(), state, "its own weights are back");
}

/// Begun on the CPU, stopped within an epoch, continued on the GPU and back: the run that never left the CPU, to rounding.
/// Stopped and continued on the GPU: the run that was not stopped, bit for bit.
#[test]
fn clipped_and_averaged_runs_move_between_the_backends() {
    let (settings, dataset) = (averaged(), dataset(SHAPE, 21));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.safetensors");
    let (cpu, gpu) = (Backend::Cpu { threads: 1 }, cuda());
    // Three epochs of three steps, each part on its backend.
    let run = |parts: &[(&Backend, usize)]| {
        let mut end = None;
        for (part, &(backend, steps)) in parts.iter().enumerate() {
            let learner = backend.learner(&settings, SHAPE, CLASSES).unwrap();
            let mut trainer = Trainer::new(&settings, &dataset, "data", learner).unwrap();
            if part > 0 {
                trainer.restore(&path).unwrap();
            }
            for _ in 0..steps {
                trainer.step().unwrap();
                if trainer.at_epoch_end() {
                    trainer.end_epoch(true).unwrap();
                }
            }
            trainer.save(&path).unwrap();
            end = Some((trainer.state().unwrap(), trainer.history().to_vec()));
        }
        end.unwrap()
    };
    let (stayed, expected) = run(&[(&cpu, 9)]);
    let (moved, found) = run(&[(&cpu, 2), (&gpu, 5), (&cpu, 2)]);
    assert_close(&moved, &stayed, 2e-3);
    for (found, expected) in found.iter().zip(&expected) {
        let losses = |epoch: &EpochMetrics| {
            [Some(epoch.train_loss), epoch.test_loss, epoch.ema_test_loss, epoch.swa_test_loss]
        };
        for (found, expected) in losses(found).into_iter().zip(losses(expected)) {
            assert_eq!(found.is_some(), expected.is_some());
            let difference = found.unwrap_or(0.0) - expected.unwrap_or(0.0);
            assert!(difference.abs() <= 1e-3, "{found:?}, expected {expected:?}");
        }
    }
    let (whole, stopped) = (run(&[(&gpu, 9)]), run(&[(&gpu, 2), (&gpu, 3), (&gpu, 4)]));
    assert_eq!(whole.0, stopped.0);

    let mut unclipped = settings.clone();
    unclipped.sgd.clip_norm = None;
    let mut learners = [&settings, &unclipped].map(|settings| gpu.learner(settings, SHAPE, CLASSES).unwrap());
    for learner in &mut learners {
        step(learner, 0);
    }
    let [clipped, unclipped] = learners.map(|mut learner| learner.export().unwrap());
    assert_ne!(values(&clipped, "weights/"), values(&unclipped, "weights/"), "the limit is reached");
}

/// By the command: interrupted on the device within a run, and brought to its end on the CPU.
#[test]
fn the_command_goes_on_elsewhere() {
    let place = tempfile::tempdir().unwrap();
    let command = |arguments: &str| {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("sam"));
        command.args(arguments.split_whitespace()).current_dir(place.path());
        command.env(DRIVER, env::var_os(DRIVER).unwrap_or_else(|| interpreter().into()));
        command
    };
    let result = |arguments: &str| -> serde_json::Value {
        let output = command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let run = "train --limit 60 --model mlp-8 --batch 6 --epochs 12 --optimizer sam --schedule constant --clip-norm 0.5 \
               --ema 0.9 --swa-from 2 --json";
    let whole = result(&format!("{run} --backend cpu --out whole"));
    let mut child = command(&format!("{run} --backend cuda --out stopped"));
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let checkpoint: &Path = &place.path().join("stopped/checkpoint.safetensors");
    while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "the device is slower than the signal: {said}");
    let resumed = result("train --resume stopped --backend cpu --json");
    for field in ["train_loss", "test_loss", "test_error", "ema_test_error", "swa_test_error"] {
        let [found, expected] = [&resumed, &whole].map(|result| result[field].as_f64().unwrap());
        assert!((found - expected).abs() <= 1e-3 * expected, "{field}: {found}, expected {expected}");
    }
}

#[test]
fn the_command_multiplies_on_tensor_cores() {
    for (precision, expected) in [("tf32", 0), ("bf16", 0), ("f16", 2)] {
        let output = sam()
            .args([
                "bench",
                "--backend",
                "cuda",
                "--precision",
                precision,
                "--model",
                "mlp-4",
                "--image",
                "2x2x1",
            ])
            .args(["--batch", "4", "--steps", "9", "--json"])
            .env(DRIVER, env::var_os(DRIVER).unwrap_or_else(|| interpreter().into()))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(expected), "{}", String::from_utf8(output.stderr).unwrap());
    }
    let output = sam()
        .args(["bench", "--precision", "bf16", "--model", "mlp-4", "--image", "2x2x1"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && text.contains("expected --backend cuda, found cpu"), "{text}");
}

/// With NVIDIA's libraries, for which a stand-in does on the interpreter, and without.
#[test]
fn the_command_takes_the_kernels_that_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let stand_in = env::current_exe().unwrap().with_file_name("libvendor_stand_in.so");
    for name in ["libcublasLt.so.13", "libcudnn.so.9"] {
        symlink(&stand_in, folder.path().join(name)).unwrap();
    }
    let nowhere = tempfile::tempdir().unwrap();
    let bench = |kernels: &str, libraries: &Path| {
        let output = sam()
            .args([
                "bench",
                "--backend",
                "cuda",
                "--kernels",
                kernels,
                "--model",
                "lenet",
                "--image",
                "4x4x1",
            ])
            .args(["--batch", "1", "--steps", "9", "--json"])
            .env(DRIVER, interpreter())
            .env("SAM_CUDA_LIB_DIR", libraries)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    // Two convolutions and two dense layers, and no gradient of the images; what is faster here may be close.
    for (kernels, libraries, expected) in [
        ("native", folder.path(), 0..=0),
        ("vendor", folder.path(), 11..=11),
        ("auto", folder.path(), 6..=11),
        ("native", nowhere.path(), 0..=0),
        ("auto", nowhere.path(), 0..=0),
    ] {
        let (code, out, errors) = bench(kernels, libraries);
        assert_eq!(code, Some(0), "{kernels}: {errors}");
        let found = |vendor: usize| out.contains(&format!("\"vendor_kernels\":{vendor},"));
        assert!(expected.into_iter().any(found), "{kernels}: {out}");
        assert!(out.contains("weight gradient: "), "{kernels}: {out}");
    }
    let (code, _, errors) = bench("vendor", nowhere.path());
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.lines().count() == 1 && errors.contains("no cuDNN (nothing at"), "{errors}");
    assert_eq!(bench("cutlass", folder.path()).0, Some(2));
    let output =
        sam().args(["bench", "--kernels", "vendor", "--model", "mlp-4", "--image", "2x2x1"]).output();
    let output = output.unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && text.contains("expected --backend cuda, found cpu"), "{text}");
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
