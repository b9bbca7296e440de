//! What a run does that is rarely meant: said, and the last batch of an epoch kept where that is chosen.

use std::{path::Path, sync::Mutex};

use sam_train::{
    data::Dataset,
    doubt::Doubt,
    experiment::train::{RunDirectory, TrainResult, train},
    interrupt::Interrupt,
    observer::{Event, Host, Observer, ObserverError},
    training::{
        checkpoint::Checkpoint,
        config::{Config, Machine},
        nonfinite::OnNonFinite,
        settings::{LastBatch, Method, NormExponent, Settings, SgdSettings},
    },
};

use super::support::{BASE, SAM, data, learner, trainer};

/// Keeps what it is told of doubts.
#[derive(Default)]
struct Doubts(Mutex<Vec<Doubt>>);

impl Observer for Doubts {
    fn observe(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        if let Event::Doubtful { doubt } = event {
            self.0.lock().unwrap().push((*doubt).clone());
        }
        Ok(())
    }
}

/// Trains to the end in `directory`: what came out, and what was said.
fn run(directory: &Path, settings: &Settings, data: &Dataset) -> (TrainResult, Vec<Doubt>) {
    let machine = Machine::cpu(1);
    let config = Config { on_nonfinite: OnNonFinite::Stop, recipe: None, machine, run: settings.clone() };
    let (interrupt, doubts) = (Interrupt::default(), Doubts::default());
    let host = Host { interrupt: &interrupt, observer: &doubts };
    let learner = Box::new(learner(settings, data, 1));
    let result = train(&RunDirectory::new(directory), &config, data, learner, host).unwrap();
    (result, doubts.0.into_inner().unwrap())
}

#[test]
fn a_run_says_once_what_it_leaves_out_and_what_never_moves_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = Settings { epochs: 2, model: "mlp-8".parse().unwrap(), ..BASE };
    settings.schedule.warmup_epochs = 3;
    settings.sgd.lr = 0.0;
    let data = data(&settings);
    let (_, said) = run(&directory.path().join("doubtful"), &settings, &data);
    let chance = data.chance_error();
    let most = (0..10).map(|class| data.test.labels.iter().filter(|&&label| label == class).count()).max();
    assert_eq!(chance, 100.0 * (1.0 - most.unwrap() as f64 / data.test.len() as f64));
    let [left_out, warmup, rate, at_chance] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(*left_out, Doubt::LeftOut { images: 250, batch: 40 });
    assert_eq!(*warmup, Doubt::OnlyWarmup { warmup: 3, epochs: 2 });
    assert_eq!(*rate, Doubt::NoRate);
    assert!(
        at_chance.to_string().starts_with("SGD") || at_chance.to_string().starts_with("SAM"),
        "{at_chance}"
    );
    assert!(matches!(at_chance, Doubt::AtChance { .. }));

    let usual = Settings { epochs: 20, batch: 50.into(), model: "mlp-32".parse().unwrap(), ..BASE };
    assert_eq!(run(&directory.path().join("usual"), &usual, &data).1, []);
}

#[test]
fn a_run_that_goes_on_with_other_arithmetic_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings { batch: 50.into(), epochs: 20, model: "mlp-8".parse().unwrap(), ..BASE };
    let data = data(&settings);
    let run_directory = RunDirectory::new(directory.path());
    let mut begun = trainer(&settings, &data, 1);
    begun.step().unwrap();
    let mut say = |before: Option<&str>| {
        begun.save(&run_directory.checkpoint()).unwrap();
        let mut checkpoint = Checkpoint::load(&run_directory.checkpoint()).unwrap();
        assert_eq!(checkpoint.position.arithmetic.as_deref(), Some(sam_backend_ndarray::arithmetic()));
        checkpoint.position.arithmetic = before.map(str::to_owned);
        checkpoint.save(&run_directory.checkpoint()).unwrap();
        run(directory.path(), &settings, &data).1
    };
    let now = sam_backend_ndarray::arithmetic().to_owned();
    let before = "an abacus".to_owned();
    assert_eq!(say(Some("an abacus")), [Doubt::OtherArithmetic { before, now: now.clone() }]);
    assert_eq!(say(Some(&now)), []);
    // A file of the old layout does not say.
    assert_eq!(say(None), []);
}

/// Every method takes a batch that is smaller than the others; its bits do not depend on threads or on a stop.
#[test]
fn a_last_batch_that_is_kept_is_a_step_of_every_method() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint.safetensors");
    for &method in Method::ALL {
        let settings = Settings {
            epochs: 2,
            last_batch: LastBatch::Keep,
            model: "mlp-16".parse().unwrap(),
            method,
            ..BASE
        };
        let data = data(&settings);
        let finish = |trainer: &mut sam_train::training::trainer::Trainer<'_>| {
            while !trainer.finished() {
                trainer.step().unwrap();
                if trainer.at_epoch_end() {
                    trainer.end_epoch(false).unwrap();
                }
            }
            trainer.state().unwrap()
        };
        let mut whole = trainer(&settings, &data, 1);
        // 250 images by 40: six whole batches and one of ten.
        assert_eq!(whole.total_steps(), 14, "{method:?}");
        let expected = finish(&mut whole);
        let mut stopped = trainer(&settings, &data, 2);
        for _ in 0..6 {
            stopped.step().unwrap();
        }
        stopped.save(&path).unwrap();
        let mut resumed = trainer(&settings, &data, 2);
        resumed.restore(&path).unwrap();
        assert_eq!(finish(&mut resumed), expected, "{method:?}");
        let dropped = Settings { last_batch: LastBatch::Drop, ..settings.clone() };
        assert_ne!(finish(&mut trainer(&dropped, &data, 1)), expected, "{method:?}");
    }
}

/// The smaller batch's gradient is the mean over its own images, not over the size of a whole one.
#[test]
fn a_kept_last_batch_counts_its_own_images_only() {
    let sgd = SgdSettings { momentum: 0.0, nesterov: false, weight_decay: 0.0, ..BASE.sgd };
    let method = Method::Sam { rho: 0.1, norm: NormExponent(sam_core::Norm::L2) };
    assert_eq!(method, SAM);
    let of = |batch: usize, limit: usize, last_batch| {
        let mut settings = Settings { epochs: 1, batch: batch.into(), last_batch, sgd, ..BASE };
        (settings.model, settings.data.limit) = ("mlp-16".parse().unwrap(), Some(limit));
        settings.schedule.shape = sam_train::training::settings::ScheduleShape::Constant;
        let data = data(&settings);
        let mut trainer = trainer(&settings, &data, 1);
        while !trainer.at_epoch_end() {
            trainer.step().unwrap();
        }
        trainer.state().unwrap().weights_sha256()
    };
    // A batch with room for more images than there are takes those that are there.
    assert_eq!(of(30, 30, LastBatch::Drop), of(30, 30, LastBatch::Keep));
    assert_ne!(of(20, 30, LastBatch::Drop), of(20, 30, LastBatch::Keep));
}
