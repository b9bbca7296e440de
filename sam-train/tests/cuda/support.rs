//! The device, and the runs that are made on it.

use std::{env, fs, os::unix::fs::symlink, path::PathBuf, process, sync::OnceLock};

use ndarray::Array4;
use sam_core::{Norm, Outcome};
use sam_model::ImageShape;
use sam_train::{
    data::{DataSource, Dataset, ImageSet},
    training::{
        backend::{Backend, BackendName},
        learner::{Batch, Learner},
        settings::{Method, NormExponent, ScheduleSettings, ScheduleShape, Settings, SgdSettings},
        state::State,
    },
};

pub const DRIVER: &str = "SAM_CUDA_DRIVER";
pub const SHAPE: ImageShape = ImageShape::new(6, 6, 1);
pub const CLASSES: usize = 4;

/// The interpreter, among the libraries of this test's folder.
pub fn interpreter() -> PathBuf {
    env::current_exe().unwrap().with_file_name("libptx_interpreter_driver.so")
}

/// A folder with what stands in for NCCL, and none of NVIDIA's other libraries.
fn nccl() -> PathBuf {
    let folder = env::temp_dir().join(format!("sam-nccl-stand-in-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let link = folder.join("libnccl.so.2");
    let _ = fs::remove_file(&link);
    symlink(interpreter().with_file_name("libvendor_stand_in.so"), link).unwrap();
    folder
}

pub fn cuda() -> Backend {
    static DRIVER_IS_CHOSEN: OnceLock<()> = OnceLock::new();
    DRIVER_IS_CHOSEN.get_or_init(|| {
        if env::var_os(DRIVER).is_none() && !PathBuf::from("/dev/nvidiactl").exists() {
            // SAFETY: nothing else in the process reads or writes the environment meanwhile: all tests here pass this way.
            #[allow(unsafe_code, reason = "the variable is read once, later")]
            unsafe {
                env::set_var(DRIVER, interpreter());
                // For ranks, each with a device of its own, and what carries their messages.
                env::set_var("PTX_INTERPRETER_DEVICES", "4");
                env::set_var("SAM_CUDA_LIB_DIR", nccl());
            }
        }
    });
    Backend::open(BackendName::Cuda, 1).unwrap()
}

pub fn settings(model: &str, method: Method) -> Settings {
    Settings {
        seed: 3,
        epochs: 1,
        batch: 6.into(),
        label_smoothing: 0.1,
        sgd: SgdSettings::new(0.1),
        schedule: ScheduleSettings { shape: ScheduleShape::Constant, warmup_epochs: 0 },
        ..Settings::new(model.parse().unwrap(), DataSource::Digits, method)
    }
}

pub const SAM: Method = Method::Sam { rho: 0.05, norm: NormExponent(Norm::L2) };

pub fn images(seed: usize) -> (Array4<f32>, Vec<u16>) {
    let value = |(n, y, x, _): (usize, usize, usize, usize)| {
        ((n * 31 + y * 7 + x * 3 + seed * 13) % 17) as f32 / 8.0 - 1.0
    };
    let labels = (0..6).map(|n| ((n + seed) % CLASSES) as u16).collect();
    (Array4::from_shape_fn((6, SHAPE.height, SHAPE.width, 1), value), labels)
}

pub fn step(learner: &mut dyn Learner, seed: usize) -> f64 {
    let (images, labels) = images(seed);
    let report = learner.step_on(Batch { images: images.view(), labels: &labels }, 0.02).unwrap();
    assert_eq!(report.outcome, Outcome::Descended);
    report.loss
}

pub fn learners(model: &str, method: Method) -> [Box<dyn Learner>; 2] {
    let settings = settings(model, method);
    let cpu = Backend::Cpu { threads: 1 };
    [&cpu, &cuda()].map(|backend| backend.learner(&settings, SHAPE, CLASSES).unwrap())
}

pub fn assert_close(found: &State, expected: &State, tolerance: f32) {
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

/// Images of bytes without a pattern.
pub fn dataset(shape: ImageShape, count: usize) -> Dataset {
    let set = |salt: usize| ImageSet {
        pixels: (0..count * shape.len())
            .map(|i| ((i + salt) * 7919 % 1013 % 256) as u8)
            .collect::<Vec<_>>()
            .into(),
        labels: (0..count).map(|i| (i * 5 % CLASSES) as u16).collect(),
    };
    let class_names = (0..CLASSES).map(|class| class.to_string()).collect();
    Dataset {
        name: "made up".to_owned(),
        shape,
        classes: CLASSES,
        class_names,
        train: set(0),
        test: set(3),
        scale: Default::default(),
    }
}
