//! The run that the tests' runs differ from.

use sam_core::Norm;
use sam_model::{Architecture, LeNet};
use sam_train::{
    data::{Augment, AugmentDetails, ByteScale, DataSource, Dataset},
    training::{
        cpu::CpuLearner,
        learner::Learner,
        settings::{
            AscentSettings, AverageSettings, Base, BatchSizes, DataSettings, LastBatch, Method, Model,
            NormExponent, ScheduleSettings, ScheduleShape, Settings, SgdSettings,
        },
        trainer::Trainer,
    },
};

pub const SAM: Method = Method::Sam { rho: 0.1, norm: NormExponent(Norm::L2) };

/// Three epochs of SAM on some digits, seven steps each.
pub const BASE: Settings = Settings {
    seed: 3,
    epochs: 3,
    batch: BatchSizes::one(40),
    model: Model::Named(Architecture::LeNet(LeNet)),
    last_batch: LastBatch::Drop,
    groups: None,
    init: None,
    checkpoint_activations: false,
    label_smoothing: 0.0,
    data: DataSettings {
        name: DataSource::Digits,
        limit: Some(250),
        label_noise: 0.0,
        train_labels: None,
        augment: Augment::None,
        augment_details: AugmentDetails::DEFAULT,
        standardize: ByteScale::Data,
        mixup: None,
        validation: None,
        files: None,
    },
    method: SAM,
    ascent: AscentSettings::PLAIN,
    base: Base::Sgd,
    sgd: SgdSettings {
        lr: 0.05,
        momentum: 0.9,
        nesterov: true,
        weight_decay: 5e-4,
        decoupled: false,
        ..SgdSettings::new(0.05)
    },
    schedule: ScheduleSettings { shape: ScheduleShape::Cosine, warmup_epochs: 0 },
    average: AverageSettings::NONE,
    start: None,
    patience: None,
};

pub fn data(settings: &Settings) -> Dataset {
    settings.data.name.load(None, settings.data.limit).unwrap()
}

pub fn learner(settings: &Settings, data: &Dataset, threads: usize) -> CpuLearner {
    CpuLearner::new(settings, data.shape, data.classes, threads).unwrap()
}

pub fn trainer<'a>(settings: &'a Settings, data: &'a Dataset, threads: usize) -> Trainer<'a> {
    trainer_of(settings, data, learner(settings, data, threads))
}

pub fn trainer_of<'a>(settings: &'a Settings, data: &'a Dataset, learner: impl Learner + 'a) -> Trainer<'a> {
    Trainer::new(settings, data, &data.fingerprint().unwrap(), Box::new(learner)).unwrap()
}
