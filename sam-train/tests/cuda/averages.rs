//! Clipped gradients and averages of the weights on the device.

use sam_core::{Average, average::Weighting};
use sam_train::{
    data::Augment,
    training::{
        average::Which,
        backend::Backend,
        cpu::CpuLearner,
        cuda::CudaLearner,
        learner::WeightAccess,
        metrics::EpochMetrics,
        settings::{AverageSettings, Settings},
        state::State,
        trainer::Trainer,
    },
};

use super::support::{CLASSES, SAM, SHAPE, assert_close, cuda, dataset, settings, step};

/// Clipped steps and both averages.
fn averaged() -> Settings {
    let mut settings = settings("resnet-8", SAM);
    settings.epochs = 3;
    settings.data.augment = Augment::Basic;
    settings.sgd.lr = 0.02;
    settings.sgd.clip_norm = Some(0.5);
    settings.average = AverageSettings { ema: Some(0.8), swa_from: Some(2), ..AverageSettings::NONE };
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
    let (settings, dataset) = (averaged(), dataset(SHAPE, 12));
    let plain = Settings { average: AverageSettings::NONE, ..settings.clone() };
    let learner = |settings| CudaLearner::new(&device, settings, SHAPE, CLASSES).unwrap();
    let mut trainer = Trainer::new(&settings, &dataset, "data", Box::new(learner(&settings))).unwrap();
    let mut without = Trainer::new(&plain, &dataset, "data", Box::new(learner(&plain))).unwrap();
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
    for seed in 0..3 {
        step(&mut learner, seed);
        learner.add_to_average(Which::Ema).unwrap();
        assert_eq!(learner.launches().unwrap().is_some(), seed > 0, "steps are recorded from the second on");
    }
    // Tests beside this one wait too, and are counted: what waits itself does so every time.
    let mut waits = || {
        let before = device.gpu.synchronisations();
        learner.add_to_average(Which::Ema).unwrap();
        learner.add_to_average(Which::Swa).unwrap();
        device.gpu.synchronisations() > before
    };
    assert!((0..200).any(|_| !waits()), "an average waited for the device");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.safetensors");
    trainer.save(&path).unwrap();
    let learner = CpuLearner::new(&settings, SHAPE, CLASSES, 1).unwrap();
    let mut host = Trainer::new(&settings, &dataset, "data", Box::new(learner)).unwrap();
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
    let (settings, dataset) = (averaged(), dataset(SHAPE, 12));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.safetensors");
    let (cpu, gpu) = (Backend::Cpu { threads: 1 }, cuda());
    // Three epochs of two steps, each part on its backend.
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
    let (stayed, expected) = run(&[(&cpu, 6)]);
    let (moved, found) = run(&[(&cpu, 1), (&gpu, 4), (&cpu, 1)]);
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
    let (whole, stopped) = (run(&[(&gpu, 6)]), run(&[(&gpu, 1), (&gpu, 2), (&gpu, 3)]));
    assert_eq!(whole.0, stopped.0);

    let mut unclipped = settings.clone();
    unclipped.sgd.clip_norm = None;
    let mut learners = [&settings, &unclipped].map(|settings| gpu.learner(settings, SHAPE, CLASSES).unwrap());
    for learner in &mut learners {
        step(&mut **learner, 0);
    }
    let [clipped, unclipped] = learners.map(|mut learner| learner.export().unwrap());
    assert_ne!(values(&clipped, "weights/"), values(&unclipped, "weights/"), "the limit is reached");
}
