//! Training: resumed runs against uninterrupted ones, threads, broken checkpoints, SAM at radius 0.

use std::{cell::RefCell, fs, path::Path, rc::Rc, time::Duration};

use sam_core::Norm;
use sam_model::{Evaluation, ImageShape};
use sam_train::{
    data::{Augment, Dataset},
    training::{
        backend::BackendName,
        checkpoint::{Checkpoint, CheckpointError},
        config::{Config, ConfigError, Machine},
        cpu::CpuLearner,
        host_batches::HostBatches,
        kernel_choice::KernelChoice,
        learner::{Batch, Learner, LearnerError, StepReport},
        metrics::EpochMetrics,
        nonfinite::OnNonFinite,
        overlap::Overlap,
        precision::Precision,
        settings::{
            AverageSettings, BatchSizes, DataSettings, LastBatch, Method, NormExponent, ScheduleSettings,
            ScheduleShape, Settings, SgdSettings,
        },
        shard_state::ShardState,
        state::{State, WEIGHTS},
        trainer::{Trainer, TrainingError},
    },
};

use super::support::{BASE, SAM, data, trainer};

fn settings(model: &str, method: Method) -> Settings {
    Settings {
        model: model.parse().unwrap(),
        last_batch: LastBatch::Drop,
        init: None,
        checkpoint_activations: false,
        label_smoothing: 0.1,
        data: DataSettings { label_noise: 0.2, augment: Augment::Cutout, ..BASE.data },
        method,
        schedule: ScheduleSettings { shape: ScheduleShape::Cosine, warmup_epochs: 1 },
        ..BASE
    }
}

/// Makes steps until `steps` are done in all, or the run is finished.
fn advance(trainer: &mut Trainer<'_>, steps: usize) {
    while !trainer.finished() && trainer.steps_done() < steps {
        trainer.step().unwrap();
        if trainer.at_epoch_end() {
            trainer.end_epoch(true).unwrap();
        }
    }
}

/// All of the final state, and the metrics but for the time they took.
fn outcome(trainer: &mut Trainer<'_>) -> (State, Vec<EpochMetrics>) {
    let metrics =
        trainer.history().iter().map(|m| EpochMetrics { images_per_s: None, seconds: None, ..*m }).collect();
    (trainer.state().unwrap(), metrics)
}

#[test]
fn a_run_resumed_anywhere_ends_with_the_same_bits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint.safetensors");
    let plain = Settings {
        sgd: SgdSettings { momentum: 0.0, decoupled: true, ..settings("mlp", SAM).sgd },
        schedule: ScheduleSettings { shape: ScheduleShape::Step, warmup_epochs: 0 },
        ..settings("mlp-16", SAM)
    };
    for settings in [settings("mlp-32", Method::Sgd), settings("resnet-8", SAM), plain] {
        let data = data(&settings);
        let mut whole = trainer(&settings, &data, 1);
        advance(&mut whole, usize::MAX);
        let expected = outcome(&mut whole);
        // 6 steps an epoch: at the start, in mid-epoch, at the end of one, and several stops in one run.
        for stops in [&[0][..], &[4], &[6], &[1, 8, 15], &[18]] {
            let mut current = trainer(&settings, &data, 1);
            for (i, &stop) in stops.iter().enumerate() {
                advance(&mut current, stop);
                current.save(&path).unwrap();
                current = trainer(&settings, &data, 1 + i % 2);
                current.restore(&path).unwrap();
                assert_eq!(current.steps_done(), stop);
            }
            advance(&mut current, usize::MAX);
            assert_eq!(outcome(&mut current), expected, "{} stopped at {stops:?}", settings.model);
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    for settings in [settings("lenet", SAM), settings("wrn-10-1-projection", SAM)] {
        let data = data(&settings);
        let mut results = [1, 2, 3].map(|threads| {
            let mut trainer = trainer(&settings, &data, threads);
            advance(&mut trainer, 5);
            trainer.state().unwrap()
        });
        assert_eq!(results[1], results[0]);
        assert_eq!(results[2], results[0]);
        let other = Settings { seed: 4, ..settings.clone() };
        let mut trainer = trainer(&other, &data, 1);
        advance(&mut trainer, 5);
        assert_ne!(trainer.state().unwrap().weights_sha256(), results[0].weights_sha256());
        results[0].tensors[0].values[0] = 0.5;
        assert_ne!(results[0].weights_sha256(), results[1].weights_sha256());
    }
}

#[test]
fn sam_at_radius_zero_is_sgd_bit_for_bit() {
    let final_state = |method| {
        let settings = settings("resnet-8", method);
        let data = data(&settings);
        let mut trainer = trainer(&settings, &data, 1);
        advance(&mut trainer, usize::MAX);
        trainer.state().unwrap()
    };
    let sgd = final_state(Method::Sgd);
    assert_eq!(final_state(Method::Sam { rho: 0.0, norm: NormExponent(Norm::L2) }), sgd);
    assert_ne!(final_state(SAM), sgd);
}

#[test]
fn sgd_learns_the_digits() {
    let settings = Settings {
        epochs: 5,
        data: DataSettings {
            limit: None,
            label_noise: 0.0,
            augment: Augment::None,
            ..settings("mlp", SAM).data
        },
        ..settings("mlp-64", Method::Sgd)
    };
    let data = data(&settings);
    let mut trainer = trainer(&settings, &data, 2);
    let untrained = trainer.evaluate_test().unwrap();
    advance(&mut trainer, usize::MAX);
    let trained = trainer.evaluate_test().unwrap();
    assert_eq!((untrained.count, trained.count), (597, 597));
    assert!(untrained.error_percent() > 60.0 && trained.error_percent() < 8.0, "{untrained:?} {trained:?}");
    assert_eq!(trainer.history().last().unwrap().test_error, Some(trained.error_percent()));
}

fn saved(path: &Path, settings: &Settings) {
    let data = data(settings);
    let mut trainer = trainer(settings, &data, 1);
    advance(&mut trainer, 8);
    trainer.save(path).unwrap();
}

#[test]
fn a_checkpoint_with_any_byte_cut_off_or_changed_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.safetensors");
    saved(&path, &settings("mlp-1", SAM));
    let whole = fs::read(&path).unwrap();
    let original = Checkpoint::load(&path).unwrap();
    let header = usize::try_from(u64::from_le_bytes(whole[..8].try_into().unwrap())).unwrap() + 8;
    let lengths = (0..header).step_by(7).chain([header, whole.len() - 1]);
    for length in lengths {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(Checkpoint::load(&path), Err(CheckpointError::Broken { .. })), "cut to {length}");
    }
    let mut unnoticed = 0;
    for position in 0..whole.len() {
        let mut changed = whole.clone();
        changed[position] ^= 1;
        fs::write(&path, &changed).unwrap();
        match Checkpoint::load(&path) {
            // A digit of the version is another version.
            Err(CheckpointError::Broken { .. } | CheckpointError::Format { .. }) => {}
            Ok(loaded) => {
                assert_eq!(loaded, original, "byte {position}");
                unnoticed += 1;
            }
            Err(other) => panic!("byte {position}: {other}"),
        }
    }
    assert_eq!(unnoticed, 0);
}

#[test]
fn a_checkpoint_of_another_run_is_refused_and_names_what_differs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.safetensors");
    let original = settings("mlp-8", SAM);
    saved(&path, &original);
    let refused = |settings: &Settings, data: &Dataset, expected_field: &str| {
        let mut trainer = trainer(settings, data, 1);
        let before = trainer.state().unwrap();
        match trainer.restore(&path) {
            Err(TrainingError::Checkpoint(CheckpointError::Mismatch { field, .. })) => {
                assert_eq!(*field, *expected_field);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!((trainer.steps_done(), trainer.state().unwrap()), (0, before));
    };
    let data = data(&original);
    refused(&Settings { seed: 4, ..original.clone() }, &data, "seed");
    refused(&Settings { method: Method::Sgd, ..original.clone() }, &data, "method.name");
    refused(&settings("mlp-9", SAM), &data, "model");
    let mut other_data = data.clone();
    let mut pixels = data.test.pixels.all().unwrap().into_owned();
    pixels[0] ^= 1;
    other_data.test.pixels = pixels.into();
    refused(&original, &other_data, "data");
    // The right run, but its tensors are those of another network or its place is none.
    let mut checkpoint = Checkpoint::load(&path).unwrap();
    checkpoint.state.tensors.pop();
    checkpoint.save(&path).unwrap();
    refused(&original, &data, "tensors");
    saved(&path, &original);
    let mut checkpoint = Checkpoint::load(&path).unwrap();
    checkpoint.position.step = 6;
    checkpoint.save(&path).unwrap();
    refused(&original, &data, "position");
}

#[test]
fn a_batch_larger_than_the_data_is_refused() {
    let settings = Settings { batch: 251.into(), ..settings("mlp-8", SAM) };
    let data = data(&settings);
    let learner = CpuLearner::new(&settings, data.shape, data.classes, 1).unwrap();
    let refused = Trainer::new(&settings, &data, "", Box::new(learner));
    assert!(matches!(refused, Err(TrainingError::Batch { batch: 251, images: 250 })));
}

#[test]
fn a_rate_that_overflows_stops_the_run_where_it_stood() {
    let settings = Settings {
        sgd: SgdSettings { lr: 1e30, ..settings("mlp-8", SAM).sgd },
        schedule: ScheduleSettings { shape: ScheduleShape::Constant, warmup_epochs: 0 },
        ..settings("mlp-8", SAM)
    };
    let data = data(&settings);
    let mut trainer = trainer(&settings, &data, 1);
    let (steps, before, error) = loop {
        let before = (trainer.steps_done(), trainer.state().unwrap());
        match trainer.step() {
            Ok(_) if trainer.at_epoch_end() => {
                trainer.end_epoch(false).unwrap();
            }
            Ok(_) => {}
            Err(error) => break (before.0, before.1, error),
        }
    };
    assert!(matches!(error, TrainingError::NonFinite(_)), "{error}");
    assert_eq!(trainer.steps_done(), steps);
    let after = trainer.state().unwrap();
    let bits = |state: &State| -> Vec<u32> {
        state.tensors.iter().flat_map(|tensor| &tensor.values).map(|value| value.to_bits()).collect()
    };
    assert_eq!(bits(&after), bits(&before));
}

/// What the loop gives a learner to learn from.
#[derive(Default)]
struct Record {
    labels: Vec<u16>,
    sums: Vec<f32>,
    rates: Vec<f32>,
}

/// Writes down what the loop gives it, and learns nothing.
#[derive(Default)]
struct Recorder {
    seen: Rc<RefCell<Record>>,
    batches: Option<HostBatches>,
}

impl Learner for Recorder {
    fn batches(&mut self) -> &mut Option<HostBatches> {
        &mut self.batches
    }

    fn step_on(&mut self, batch: Batch<'_>, rate: f32) -> Result<StepReport, LearnerError> {
        let mut seen = self.seen.borrow_mut();
        seen.labels.extend_from_slice(batch.labels);
        seen.sums.extend(batch.images.outer_iter().map(|image| image.sum()));
        seen.rates.push(rate);
        let outcome = sam_core::Outcome::Descended;
        Ok(StepReport {
            loss: 1.0,
            outcome,
            in_gradients: Duration::ZERO,
            in_batch: Duration::ZERO,
            figures: Default::default(),
        })
    }

    fn evaluate(&mut self, batch: Batch<'_>) -> Result<Evaluation, LearnerError> {
        Ok(Evaluation { loss: 2.0, correct: batch.labels.len() / 2, count: batch.labels.len() })
    }

    fn export(&mut self) -> Result<State, LearnerError> {
        Ok(State::default())
    }

    fn import(&mut self, _: &State) -> Result<(), LearnerError> {
        Ok(())
    }

    fn arithmetic(&self) -> String {
        "numbers of a test".to_owned()
    }

    fn parameter_count(&self) -> usize {
        0
    }
}

#[test]
fn an_epoch_shows_each_image_at_most_once_with_its_noisy_label_and_drops_the_rest() {
    let mut settings = settings("mlp-8", SAM);
    settings.data.augment = Augment::None;
    let data = data(&settings);
    let recorder = Recorder::default();
    let seen = Rc::clone(&recorder.seen);
    let mut trainer = Trainer::new(&settings, &data, "", Box::new(recorder)).unwrap();
    advance(&mut trainer, 6);
    assert_eq!((trainer.epoch(), seen.borrow().labels.len()), (1, 240));
    let noisy = sam_train::data::replace_at_random(&data.train.labels, 10, 0.2, 3);
    let mut image = vec![0.0; 64];
    let standardizer = sam_train::data::Standardizer::fit(&data.train.pixels, 1).unwrap();
    let mut known: Vec<(f32, u16)> = data
        .train
        .pixels
        .all()
        .unwrap()
        .chunks(64)
        .zip(&noisy.labels)
        .map(|(pixels, &label)| {
            standardizer.apply(pixels, &mut image);
            (ndarray::aview1(&image).sum(), label)
        })
        .collect();
    let seen = seen.borrow();
    for (sum, label) in seen.sums.iter().zip(&seen.labels) {
        // Sums may differ in their last bits by the order of summation.
        let found = known.iter().position(|(s, l)| (s - sum).abs() < 1e-3 && l == label);
        known.swap_remove(found.expect("an image of the set that was not shown before, with its label"));
    }
    assert_eq!(trainer.wrong_labels(), noisy.wrong);
    let evaluation = trainer.evaluate_test().unwrap();
    assert_eq!((evaluation.loss, evaluation.count), (2.0, 597));
}

#[test]
fn the_rate_rises_linearly_and_falls_along_the_cosine() {
    let settings = settings("mlp-8", SAM);
    let data = data(&settings);
    let recorder = Recorder::default();
    let seen = Rc::clone(&recorder.seen);
    let mut trainer = Trainer::new(&settings, &data, "", Box::new(recorder)).unwrap();
    advance(&mut trainer, usize::MAX);
    let rates = &seen.borrow().rates;
    assert_eq!(rates.len(), 18);
    for (step, &rate) in rates.iter().enumerate() {
        let expected = match step {
            0..6 => 0.05 * (step + 1) as f64 / 6.0,
            _ => 0.025 * (1.0 + (std::f64::consts::PI * (step - 6) as f64 / 12.0).cos()),
        };
        assert!((f64::from(rate) - expected).abs() < 1e-7, "step {step}: {rate}, expected {expected}");
    }
}

/// What is rewritten each time must not grow with the run: it would come to take longer than the epochs between.
#[test]
fn a_checkpoint_is_as_large_after_a_thousand_epochs_as_after_ten() {
    let settings = Settings { epochs: 1001, batch: 250.into(), ..settings("mlp-8", SAM) };
    let data = data(&settings);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint.safetensors");
    let mut trainer = Trainer::new(&settings, &data, "", Box::new(Recorder::default())).unwrap();
    let mut sizes = Vec::new();
    for epoch in 1..=1000 {
        trainer.step().unwrap();
        trainer.end_epoch(epoch == 1000).unwrap();
        if [10, 11, 1000].contains(&epoch) {
            trainer.save(&path).unwrap();
            sizes.push(fs::metadata(&path).unwrap().len());
        }
    }
    // Numbers have more digits.
    assert!(sizes[2] < sizes[0] + 200, "{sizes:?}");
    let lines = fs::read_to_string(directory.path().join("metrics.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 1000);
    let whole = trainer.history().to_vec();
    let mut resumed = Trainer::new(&settings, &data, "", Box::new(Recorder::default())).unwrap();
    resumed.restore(&path).unwrap();
    assert_eq!((resumed.epoch(), resumed.history()), (1000, &whole[..]));
    // What the file held is gone with it, and nothing else.
    fs::remove_file(directory.path().join("metrics.jsonl")).unwrap();
    resumed.restore(&path).unwrap();
    assert_eq!((resumed.epoch(), resumed.history()), (1000, &whole[999..]));
    resumed.save(&path).unwrap();
    resumed.restore(&path).unwrap();
    assert_eq!((resumed.epoch(), resumed.history()), (1000, &whole[999..]));
}

#[test]
fn batches_grow_over_equal_parts_of_the_epochs_and_the_rate_knows() {
    let batch = BatchSizes::try_from(vec![10, 25]).unwrap();
    let settings = Settings { epochs: 4, batch, ..settings("mlp-8", SAM) };
    let data = data(&settings);
    let recorder = Recorder::default();
    let seen = Rc::clone(&recorder.seen);
    let mut trainer = Trainer::new(&settings, &data, "", Box::new(recorder)).unwrap();
    let mut batches = Vec::new();
    while !trainer.finished() {
        let (epoch, before) = (trainer.epoch(), seen.borrow().labels.len());
        trainer.step().unwrap();
        batches.push((epoch, seen.borrow().labels.len() - before));
        if trainer.at_epoch_end() {
            trainer.end_epoch(false).unwrap();
        }
    }
    let expected = [(0, 10, 25), (1, 10, 25), (2, 25, 10), (3, 25, 10)];
    let expected: Vec<_> = expected.into_iter().flat_map(|(epoch, size, n)| vec![(epoch, size); n]).collect();
    assert_eq!(batches, expected);
    assert_eq!((trainer.total_steps(), trainer.steps_done()), (70, 70));
    for (step, &rate) in seen.borrow().rates.iter().enumerate() {
        let expected = match step {
            0..25 => 0.05 * (step + 1) as f64 / 25.0,
            _ => 0.025 * (1.0 + (std::f64::consts::PI * (step - 25) as f64 / 45.0).cos()),
        };
        assert!((f64::from(rate) - expected).abs() < 1e-7, "step {step}: {rate}, expected {expected}");
    }
}

#[test]
fn a_step_with_a_clipped_gradient_is_as_long_as_the_limit_says_and_in_the_gradient_s_direction() {
    let of = |clip_norm| {
        let sgd = SgdSettings {
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
            clip_norm,
            ..SgdSettings::new(0.5)
        };
        let schedule = ScheduleSettings { shape: ScheduleShape::Constant, warmup_epochs: 0 };
        let settings = Settings { sgd, schedule, ..settings("lenet", SAM) };
        let data = data(&settings);
        let mut trainer = trainer(&settings, &data, 1);
        let weights = |trainer: &mut Trainer<'_>| -> Vec<f32> {
            trainer.state().unwrap().group(WEIGHTS).flat_map(|tensor| tensor.values.clone()).collect()
        };
        let before = weights(&mut trainer);
        trainer.step().unwrap();
        let after = weights(&mut trainer);
        after.iter().zip(&before).map(|(a, b)| f64::from(*a) - f64::from(*b)).collect::<Vec<f64>>()
    };
    let length = |step: &[f64]| step.iter().map(|x| x * x).sum::<f64>().sqrt();
    let free = of(None);
    let norm = length(&free) / 0.5;
    assert_eq!(of(Some(1.1 * norm)), free);
    let clipped = of(Some(0.25 * norm));
    assert!((length(&clipped) / (0.5 * 0.25 * norm) - 1.0).abs() < 1e-4, "{} {norm}", length(&clipped));
    let product: f64 = clipped.iter().zip(&free).map(|(a, b)| a * b).sum();
    assert!(product / (length(&clipped) * length(&free)) > 1.0 - 1e-6);
}

#[test]
fn a_configuration_survives_the_file_and_a_wrong_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    for method in [Method::Sgd, SAM, Method::Sam { rho: 0.3, norm: NormExponent(Norm::LInf) }] {
        let machine = Machine {
            backend: BackendName::Cpu,
            device: 3,
            precision: Precision::Bf16,
            kernels: KernelChoice::Native,
            overlap: Overlap::Off,
            shard_state: ShardState::On,
            threads: 2,
            data_dir: Some("/some/where".into()),
            picture_cache: Some(4096),
        };
        let run = settings("wrn-16-4-projection", method);
        let average = AverageSettings { ema: Some(0.99), swa_from: Some(2), ..AverageSettings::NONE };
        let batch = BatchSizes::try_from(vec![32, 64]).unwrap();
        let sgd = SgdSettings { clip_norm: Some(5.0), ..run.sgd };
        let full = Settings { average, batch, sgd, ..run.clone() };
        for run in [full, run] {
            let config =
                Config { on_nonfinite: OnNonFinite::Skip, recipe: None, machine: machine.clone(), run };
            config.save(&path).unwrap();
            assert_eq!(Config::load(&path).unwrap(), config);
        }
    }
    let text = fs::read_to_string(&path).unwrap();
    for (from, to) in
        [("rho = 0.3", "rho = -0.3"), ("momentum = 0.9", "momentum = 1.0"), ("lr = 0.05", "lr = nan")]
    {
        assert!(text.contains(from));
        fs::write(&path, text.replace(from, to)).unwrap();
        assert!(matches!(Config::load(&path), Err(ConfigError::Setting { .. })), "{to}");
    }
    for (from, to) in [
        ("rho", "roh"),
        ("wrn-16-4", "wrn-16"),
        ("\"inf\"", "\"0.5\""),
        ("[run.sgd]", "[run.sgd"),
        ("seed = 3", ""),
    ] {
        assert!(text.contains(from));
        fs::write(&path, text.replace(from, to)).unwrap();
        assert!(matches!(Config::load(&path), Err(ConfigError::Syntax { .. })), "{to}");
    }
}

#[test]
fn an_image_too_small_for_the_network_is_an_error() {
    let settings = settings("lenet", SAM);
    assert!(CpuLearner::new(&settings, ImageShape::new(1, 1, 1), 10, 1).is_err());
}
