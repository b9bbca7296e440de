//! Losses, gradients and weights that are not finite: nothing changes, the place is named, and the run does what was
//! chosen.

use std::{cell::RefCell, fs, path::Path, process::Command, rc::Rc, time::Duration};

use ndarray::Array4;
use sam_core::{Norm, Outcome, Pass};
use sam_model::Evaluation;
use sam_train::{
    data::{Augment, Dataset},
    training::{
        cpu::CpuLearner,
        host_batches::HostBatches,
        learner::{Batch, Diagnosis, Learner, LearnerError, StepReport},
        nonfinite::{NonFinite, Origin},
        settings::{DataSettings, Method, NormExponent, Settings},
        state::State,
        trainer::{Trainer, TrainingError},
    },
};
use serde_json::Value;

use super::support::{BASE, SAM, data, learner, trainer_of};

fn settings(model: &str, method: Method) -> Settings {
    Settings {
        batch: 25.into(),
        model: model.parse().unwrap(),
        init: None,
        checkpoint_activations: false,
        data: DataSettings { limit: Some(300), augment: Augment::Basic, ..BASE.data },
        method,
        ..BASE
    }
}

/// What an attempt at a step meets.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// A pixel that is not a number.
    Pixel,
    /// Numbers so large that activations overflow.
    Huge,
    /// A label that no class has: the backend refuses the batch.
    Label,
}

/// A learner whose batches are spoilt when `fault`, asked with the number of the attempt, says so.
struct Spoilt<F> {
    learner: CpuLearner,
    fault: F,
    attempts: usize,
    rates: Rc<RefCell<Vec<f32>>>,
    batches: Option<HostBatches>,
}

impl<F: FnMut(usize) -> Fault> Learner for Spoilt<F> {
    fn batches(&mut self) -> &mut Option<HostBatches> {
        &mut self.batches
    }

    fn step_on(&mut self, batch: Batch<'_>, rate: f32) -> Result<StepReport, LearnerError> {
        let fault = (self.fault)(self.attempts);
        self.attempts += 1;
        self.rates.borrow_mut().push(rate);
        let mut images: Array4<f32> = batch.images.to_owned();
        let mut labels = batch.labels.to_vec();
        let middle = images.len() / 2;
        match fault {
            Fault::None => {}
            Fault::Pixel => images.as_slice_mut().unwrap()[middle] = f32::NAN,
            Fault::Huge => images.fill(3e38),
            Fault::Label => labels[0] = 10,
        }
        self.learner.step_on(Batch { images: images.view(), labels: &labels }, rate)
    }

    fn evaluate(&mut self, batch: Batch<'_>) -> Result<Evaluation, LearnerError> {
        self.learner.evaluate(batch)
    }

    fn export(&mut self) -> Result<State, LearnerError> {
        self.learner.export()
    }

    fn import(&mut self, state: &State) -> Result<(), LearnerError> {
        self.learner.import(state)
    }

    fn arithmetic(&self) -> String {
        "numbers of a test".to_owned()
    }

    fn parameter_count(&self) -> usize {
        self.learner.parameter_count()
    }

    fn diagnosis(&self) -> Option<&dyn Diagnosis> {
        self.learner.diagnosis()
    }
}

fn trainer<'a>(
    settings: &'a Settings,
    data: &'a Dataset,
    fault: impl FnMut(usize) -> Fault + 'a,
) -> Trainer<'a> {
    trainer_and_rates(settings, data, fault).0
}

/// The trainer, and the learning rates of all attempts at a step.
fn trainer_and_rates<'a>(
    settings: &'a Settings,
    data: &'a Dataset,
    fault: impl FnMut(usize) -> Fault + 'a,
) -> (Trainer<'a>, Rc<RefCell<Vec<f32>>>) {
    let learner = learner(settings, data, 1);
    let rates = Rc::default();
    let spoilt = Spoilt { learner, fault, attempts: 0, rates: Rc::clone(&rates), batches: None };
    (trainer_of(settings, data, spoilt), rates)
}

fn bits(state: &State) -> Vec<u32> {
    state.tensors.iter().flat_map(|tensor| &tensor.values).map(|value| value.to_bits()).collect()
}

fn nonfinite(error: TrainingError) -> Box<NonFinite> {
    match error {
        TrainingError::NonFinite(found) => found,
        other => panic!("{other}"),
    }
}

/// Makes steps until the run is finished; `recover` says what to do with an error.
fn finish(trainer: &mut Trainer<'_>, mut recover: impl FnMut(&mut Trainer<'_>, TrainingError)) {
    while !trainer.finished() {
        if let Err(error) = trainer.step() {
            recover(trainer, error);
        }
        if trainer.at_epoch_end() {
            trainer.end_epoch(false).unwrap();
        }
    }
}

#[test]
fn a_spoilt_batch_changes_nothing_not_even_running_statistics_and_its_layer_is_named() {
    for (model, method, first) in [
        ("mlp-9-8", SAM, "dense1"),
        ("mlp-9-8", Method::Sgd, "dense1"),
        ("lenet", SAM, "conv1"),
        ("resnet-8", SAM, "stem"),
        ("wrn-10-1-projection", Method::Sgd, "stem"),
    ] {
        let settings = settings(model, method);
        let data = data(&settings);
        for fault in [Fault::Pixel, Fault::Huge] {
            let mut trainer =
                trainer(&settings, &data, |attempt| if attempt == 2 { fault } else { Fault::None });
            trainer.step().unwrap();
            trainer.step().unwrap();
            let before = trainer.state().unwrap();
            let found = nonfinite(trainer.step().unwrap_err());
            assert_eq!((found.epoch, found.step, found.pass), (1, 3, Some(Pass::Clean)), "{model} {fault:?}");
            let Origin { quantity, layer, .. } = found.origin.unwrap();
            assert_eq!(quantity, "output");
            if fault == Fault::Pixel {
                assert_eq!(layer.as_deref(), Some(first), "{model}");
            }
            assert_eq!(bits(&trainer.state().unwrap()), bits(&before), "{model} {fault:?}");
            assert_eq!(trainer.steps_done(), 2);
        }
    }
}

#[test]
fn weights_that_overflow_only_when_perturbed_are_found_in_that_pass() {
    let settings = Settings {
        method: Method::Sam { rho: 3e38, norm: NormExponent(Norm::LInf) },
        ..settings("mlp-9", SAM)
    };
    let data = data(&settings);
    let mut trainer = trainer(&settings, &data, |_| Fault::None);
    let before = trainer.state().unwrap();
    let found = nonfinite(trainer.step().unwrap_err());
    assert_eq!(found.pass, Some(Pass::Perturbed));
    assert!(found.loss.unwrap().is_finite());
    assert!(found.to_string().contains("perturbed pass"), "{found}");
    assert_eq!(bits(&trainer.state().unwrap()), bits(&before));
}

#[test]
fn a_run_that_retries_after_faults_in_a_hundredth_of_ten_thousand_steps_ends_as_one_without_faults() {
    let settings = Settings { epochs: 834, ..settings("mlp-6", SAM) };
    let data = data(&settings);
    let mut clean = trainer(&settings, &data, |_| Fault::None);
    finish(&mut clean, |_, error| panic!("{error}"));
    assert!(clean.steps_done() >= 10_000);
    // A linear congruential generator: about one attempt in a hundred, of every kind.
    let mut state = 1_u64;
    let mut faulty = trainer(&settings, &data, move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match (state >> 33) % 300 {
            0 => Fault::Pixel,
            1 => Fault::Huge,
            2 => Fault::Label,
            _ => Fault::None,
        }
    });
    let mut faults = 0;
    let mut last = bits(&faulty.state().unwrap());
    while !faulty.finished() {
        let failed = faulty.step().is_err();
        faults += usize::from(failed);
        let now = bits(&faulty.state().unwrap());
        assert_eq!(failed, now == last, "step {}", faulty.steps_done());
        last = now;
        if faulty.at_epoch_end() {
            faulty.end_epoch(false).unwrap();
        }
    }
    assert!((60..160).contains(&faults), "{faults}");
    assert_eq!(bits(&faulty.state().unwrap()), bits(&clean.state().unwrap()));
}

#[test]
fn a_skipped_step_is_a_step_without_its_batch_and_survives_a_resume() {
    let settings = settings("resnet-8", SAM);
    let data = data(&settings);
    let spoil =
        |attempt| if attempt == 3 || attempt == 4 || attempt == 20 { Fault::Pixel } else { Fault::None };
    let mut skipping = trainer(&settings, &data, spoil);
    finish(&mut skipping, |trainer, error| trainer.skip(nonfinite(error)).unwrap());
    let skipped: Vec<_> = skipping.history().iter().map(|epoch| epoch.skipped).collect();
    assert_eq!(skipped, [2, 1, 0]);

    // The same steps left out without being tried, with a stop between two of them.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint.safetensors");
    let never = |_: usize| Fault::None;
    let mut reference = trainer(&settings, &data, never);
    let nothing = NonFinite { epoch: 0, step: 0, pass: None, loss: None, lr: 0.0, origin: None };
    let nothing = Box::new(nothing);
    while !reference.finished() {
        match reference.steps_done() {
            3 | 4 | 20 => reference.skip(nothing.clone()).unwrap(),
            _ => drop(reference.step().unwrap()),
        }
        if reference.steps_done() == 4 {
            reference.save(&path).unwrap();
            reference = trainer(&settings, &data, never);
            reference.restore(&path).unwrap();
        }
        if reference.at_epoch_end() {
            reference.end_epoch(false).unwrap();
        }
    }
    assert_eq!(bits(&reference.state().unwrap()), bits(&skipping.state().unwrap()));
    let losses = |history: &[sam_train::training::metrics::EpochMetrics]| -> Vec<(f64, usize)> {
        history.iter().map(|epoch| (epoch.train_loss, epoch.skipped)).collect()
    };
    assert_eq!(losses(reference.history()), losses(skipping.history()));
}

#[test]
fn steps_are_not_skipped_for_ever() {
    let settings = settings("mlp-6", SAM);
    let data = data(&settings);
    let mut trainer =
        trainer(&settings, &data, |attempt| if attempt < 3 { Fault::None } else { Fault::Huge });
    let refused = loop {
        match trainer.step() {
            Ok(_) => {}
            Err(error) => {
                if let Err(error) = trainer.skip(nonfinite(error)) {
                    break error;
                }
            }
        }
        if trainer.at_epoch_end() {
            trainer.end_epoch(false).unwrap();
        }
    };
    assert!(matches!(refused, TrainingError::OnlySkips { count: 10, .. }), "{refused}");
}

/// What a run does that goes back to its checkpoint.
fn roll_back(trainer: &mut Trainer<'_>, path: &Path, found: Box<NonFinite>) -> Result<(), TrainingError> {
    trainer.restore(path)?;
    trainer.halve_rate(found)?;
    trainer.save(path)
}

#[test]
fn a_rollback_goes_on_from_the_checkpoint_at_half_the_rate_and_is_remembered() {
    let settings = settings("mlp-6", SAM);
    let data = data(&settings);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint.safetensors");
    let (mut rolled, rates) =
        trainer_and_rates(&settings, &data, |attempt| if attempt == 7 { Fault::Huge } else { Fault::None });
    for _ in 0..5 {
        rolled.step().unwrap();
    }
    rolled.save(&path).unwrap();
    let saved = bits(&rolled.state().unwrap());
    rolled.step().unwrap();
    rolled.step().unwrap();
    let found = nonfinite(rolled.step().unwrap_err());
    roll_back(&mut rolled, &path, found).unwrap();
    assert_eq!((rolled.steps_done(), bits(&rolled.state().unwrap())), (5, saved));
    let (mut resumed, resumed_rates) = trainer_and_rates(&settings, &data, |_| Fault::None);
    resumed.restore(&path).unwrap();
    finish(&mut rolled, |_, error| panic!("{error}"));
    finish(&mut resumed, |_, error| panic!("{error}"));
    assert_eq!(bits(&resumed.state().unwrap()), bits(&rolled.state().unwrap()));
    let rates = rates.borrow();
    // Attempts 5, 6 and 7 failed in the end; 8, 9 and 10 are the same steps at half the rate, exactly.
    for step in 5..8 {
        assert_eq!(rates[step + 3] * 2.0, rates[step]);
    }
    assert_eq!(*resumed_rates.borrow(), rates[8..]);
}

#[test]
fn rollbacks_end_after_ten() {
    let settings = settings("mlp-6", Method::Sgd);
    let data = data(&settings);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint.safetensors");
    let mut trainer = trainer(&settings, &data, |_| Fault::Pixel);
    trainer.save(&path).unwrap();
    for count in 0..=10 {
        let found = nonfinite(trainer.step().unwrap_err());
        match roll_back(&mut trainer, &path, found) {
            Ok(()) => assert!(count < 10),
            Err(error) => {
                assert!(matches!(error, TrainingError::RolledBack { count: 10, .. }), "{error}");
                assert_eq!(count, 10);
            }
        }
    }
}

/// Says that all went well, with a weight that is not a number.
#[derive(Default)]
struct Overflowed {
    batches: Option<HostBatches>,
}

impl Learner for Overflowed {
    fn batches(&mut self) -> &mut Option<HostBatches> {
        &mut self.batches
    }

    fn step_on(&mut self, _: Batch<'_>, _: f32) -> Result<StepReport, LearnerError> {
        Ok(StepReport {
            loss: 1.0,
            outcome: Outcome::Descended,
            in_gradients: Duration::ZERO,
            in_batch: Duration::ZERO,
            figures: Default::default(),
        })
    }

    fn evaluate(&mut self, _: Batch<'_>) -> Result<Evaluation, LearnerError> {
        Ok(Evaluation::default())
    }

    fn export(&mut self) -> Result<State, LearnerError> {
        let values = vec![1.0, f32::INFINITY];
        let name = "momentum/dense1.weight".to_owned();
        Ok(State { tensors: vec![sam_train::training::state::Tensor { name, shape: vec![2], values }] })
    }

    fn import(&mut self, _: &State) -> Result<(), LearnerError> {
        Ok(())
    }

    fn arithmetic(&self) -> String {
        "numbers of a test".to_owned()
    }

    fn parameter_count(&self) -> usize {
        2
    }
}

#[test]
fn a_state_that_is_not_finite_never_replaces_a_checkpoint() {
    let settings = settings("mlp-6", SAM);
    let data = data(&settings);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint.safetensors");
    fs::write(&path, "the last good one").unwrap();
    let mut trainer = Trainer::new(&settings, &data, "", Box::new(Overflowed::default())).unwrap();
    trainer.step().unwrap();
    let found = nonfinite(trainer.save(&path).unwrap_err());
    assert_eq!(found.pass, None);
    assert!(found.to_string().contains("momentum of dense1"), "{found}");
    assert_eq!(fs::read(&path).unwrap(), b"the last good one");
}

fn sam(directory: &Path, arguments: &str) -> (Option<i32>, String) {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sam"));
    let output = command.args(arguments.split_whitespace()).current_dir(directory).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn log(directory: &Path, run: &str) -> Vec<Value> {
    let text = fs::read_to_string(directory.join(run).join("divergence.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_command_stops_skips_or_goes_back_as_told_and_logs_it() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let diverging = "train --model mlp-16-16 --epochs 2 --limit 640 --lr 1e6 --schedule constant";

    let (code, stderr) = sam(place, &format!("{diverging} --out stopped"));
    assert_eq!(code, Some(1), "{stderr}");
    for word in [
        "error: epoch 1, step ",
        "pass",
        "first in the ",
        "as before the step",
        "lower --lr",
        "--on-nonfinite",
    ] {
        assert!(stderr.contains(word), "no {word} in {stderr}");
    }
    let events = log(place, "stopped");
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["epoch"], &events[0]["action"]), (&1.into(), &"stop".into()));
    assert_eq!(events[0]["pass"], "clean");
    assert!(events[0]["layer"].is_string() && events[0]["step"].is_u64(), "{}", events[0]);

    let (code, stderr) = sam(place, &format!("{diverging} --on-nonfinite skip --out skipped"));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("the batch is left out") && stderr.contains("10 steps were all left out"),
        "{stderr}"
    );
    assert!(log(place, "skipped").iter().all(|event| event["action"] == "skip"));

    // A stopped run goes on as the resuming command says.
    let (code, stderr) = sam(place, "train --resume stopped --on-nonfinite rollback");
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("going back 10 times"), "{stderr}");
    let events = log(place, "stopped");
    assert_eq!(events.len(), 12, "the first, ten rollbacks and the one that gave up");
    let rate = |event: &Value| event["lr"].as_f64().unwrap();
    for (event, next) in events[1..].iter().zip(&events[2..]) {
        assert_eq!(rate(event), 2.0 * rate(next));
    }
}
