//! How runs on several ranks end: stopped, resumed on others, with a failure of one of them.

use std::{fs::OpenOptions, path::Path, rc::Rc};

use sam_train::{
    data::{Dataset, Pixels},
    experiment::{
        ExperimentError,
        train::{RunDirectory, TrainResult, train},
    },
    files,
    interrupt::Interrupt,
    observer::{Event, Host, Observer, ObserverError},
    ranks::{Alone, Ranks},
    training::{
        config::{Config, Machine},
        cpu::CpuLearner,
        learner::WeightAccess,
        nonfinite::OnNonFinite,
        settings::{Method, Settings},
        trainer::{Trainer, TrainingError},
    },
};

use super::{
    steps::{data, settings},
    threads::on_ranks,
};

/// Asks to stop, or fails, once so many steps are done.
struct After<'a> {
    steps: u64,
    interrupt: Option<&'a Interrupt>,
}

impl Observer for After<'_> {
    fn observe(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        match (event, self.interrupt) {
            (Event::Progress { done }, Some(interrupt)) if *done == self.steps => {
                interrupt.request();
                Ok(())
            }
            (Event::Progress { done }, None) if *done == self.steps => Err("planted".into()),
            _ => Ok(()),
        }
    }
}

fn run(
    path: &Path,
    settings: &Settings,
    data: &Dataset,
    ranks: Rc<dyn Ranks>,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<TrainResult, Box<ExperimentError>> {
    let learner = CpuLearner::on_ranks(settings, data.shape, data.classes, 1, ranks).unwrap();
    let config = Config {
        on_nonfinite: OnNonFinite::Stop,
        recipe: None,
        machine: Machine::cpu(1),
        run: settings.clone(),
    };
    let host = Host { interrupt, observer };
    train(&RunDirectory::new(path), &config, data, Box::new(learner), host).map_err(Box::new)
}

fn whole(path: &Path, settings: &Settings, data: &Dataset, size: usize) -> Vec<Result<String, String>> {
    on_ranks(size, |ranks| {
        let result = run(path, settings, data, ranks, &(), &Interrupt::default());
        result.map(|result| weights(&result)).map_err(|error| error.to_string())
    })
}

fn weights(result: &TrainResult) -> String {
    serde_json::to_value(result).unwrap()["weights_sha256"].as_str().unwrap().to_owned()
}

#[test]
fn a_run_that_one_rank_was_asked_to_stop_goes_on_to_the_same_weights_on_other_numbers_of_ranks() {
    let settings = settings("wrn-10-1", Method::MSharpness { rho: 0.1, m: 8 }, Some(4));
    let data = data(&settings);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let expected = whole(&path("alone"), &settings, &data, 1);
    assert!(expected[0].is_ok());
    // The second rank is asked: all of them stop after the same step, and have one checkpoint.
    let stopped = path("stopped");
    let ends = on_ranks(2, |ranks| {
        let interrupt = Interrupt::default();
        let asked = After { steps: 2, interrupt: (ranks.rank() == 1).then_some(&interrupt) };
        let observer: &dyn Observer = if ranks.rank() == 1 { &asked } else { &() };
        let result = run(&stopped, &settings, &data, ranks, observer, &interrupt);
        match *result.unwrap_err() {
            ExperimentError::Interrupted { done, .. } => done,
            other => panic!("expected an interrupt, found {other:?}"),
        }
    });
    assert_eq!(ends, ["3 of 6 steps are in the checkpoint", "3 of 6 steps are in the checkpoint"]);
    let checkpoint = files::read(&stopped.join("checkpoint.safetensors")).unwrap();
    for size in [4, 1, 2] {
        files::replace(&stopped.join("checkpoint.safetensors"), &checkpoint).unwrap();
        for found in whole(&stopped, &settings, &data, size) {
            assert_eq!(found, expected[0], "{size} ranks");
        }
    }
}

#[test]
fn a_failure_of_any_rank_ends_all_in_the_same_step() {
    // In four messages, of which the others begin some before the failing rank begins any.
    let settings = settings("mlp-400-80", Method::sam(0.1), Some(2));
    let data = data(&settings);
    for failing in [0, 1] {
        let directory = tempfile::tempdir().unwrap();
        let ends = on_ranks(2, |ranks| {
            let rank = ranks.rank();
            let fails = After { steps: 4, interrupt: None };
            let observer: &dyn Observer = if rank == failing { &fails } else { &() };
            let path = directory.path().join("run");
            run(&path, &settings, &data, ranks, observer, &Interrupt::default()).unwrap_err()
        });
        assert_eq!(ends[failing].to_string(), "planted");
        assert!(ends[1 - failing].is_of_peer(), "{:?}", ends[1 - failing]);
        assert!(ends[1 - failing].to_string().starts_with(&format!("rank {failing} has failed")));
        // What was written is of use.
        let found = whole(&directory.path().join("run"), &settings, &data, 1);
        let expected = whole(&directory.path().join("expected"), &settings, &data, 1);
        assert_eq!(found, expected);
    }
}

/// Shortens a file once two steps are done.
struct Shortens<'a>(&'a Path);

impl Observer for Shortens<'_> {
    fn observe(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        if matches!(event, Event::Progress { done: 2 }) {
            OpenOptions::new().write(true).open(self.0)?.set_len(0)?;
        }
        Ok(())
    }
}

#[test]
fn images_that_one_rank_can_no_longer_read_end_all_in_the_same_step() {
    const HEADER: usize = 16;
    let settings = settings("mlp-400-80", Method::sam(0.1), Some(2));
    let memory = data(&settings);
    let pixels = memory.train.pixels.all().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let ends = on_ranks(2, |ranks| {
        let file = directory.path().join(format!("images-{}", ranks.rank()));
        std::fs::write(&file, [&[0; HEADER], &*pixels].concat()).unwrap();
        let mut data = memory.clone();
        data.train.pixels = Pixels::in_file(&file, HEADER as u64, pixels.len() as u64).unwrap();
        let shortens = Shortens(&file);
        let observer: &dyn Observer = if ranks.rank() == 1 { &shortens } else { &() };
        let path = directory.path().join("run");
        run(&path, &settings, &data, ranks, observer, &Interrupt::default()).unwrap_err()
    });
    assert!(ends[1].to_string().contains("images-1"), "{}", ends[1]);
    assert!(ends[0].is_of_peer() && ends[0].to_string().starts_with("rank 1 has failed"), "{}", ends[0]);
}

#[test]
fn a_file_that_the_first_rank_cannot_write_ends_all() {
    let settings = settings("mlp-8", Method::sam(0.1), Some(2));
    let data = data(&settings);
    let directory = tempfile::tempdir().unwrap();
    // A directory is in the place of the file.
    let path = directory.path().join("run");
    std::fs::create_dir_all(path.join("metrics.jsonl")).unwrap();
    let ends = whole(&path, &settings, &data, 2);
    assert!(ends[0].as_ref().unwrap_err().contains("metrics.jsonl"), "{ends:?}");
    assert!(ends[1].as_ref().unwrap_err().starts_with("rank 0 has failed"), "{ends:?}");
}

#[test]
fn numbers_that_are_not_finite_end_all_ranks_alike() {
    let mut settings = settings("lenet", Method::MSharpness { rho: 0.1, m: 8 }, Some(4));
    settings.sgd.lr = 1e30;
    let data = data(&settings);
    let directory = tempfile::tempdir().unwrap();
    let expected = whole(&directory.path().join("alone"), &settings, &data, 1);
    let ends = whole(&directory.path().join("ranks"), &settings, &data, 4);
    for end in &ends {
        assert_eq!(end.as_ref().unwrap_err(), ends[0].as_ref().unwrap_err());
    }
    let place =
        |end: &Result<String, String>| end.as_ref().unwrap_err().split(',').take(2).collect::<String>();
    assert_eq!(place(&ends[0]), place(&expected[0]));
    assert!(ends[0].as_ref().unwrap_err().contains("expected finite numbers"), "{ends:?}");
}

#[test]
fn ranks_with_other_settings_or_data_are_told_apart() {
    let given = [settings("mlp-8", Method::sam(0.1), Some(2)), settings("mlp-8", Method::sam(0.2), Some(2))];
    let data = data(&given[0]);
    let directory = tempfile::tempdir().unwrap();
    let ends = on_ranks(2, |ranks| {
        let settings = &given[ranks.rank()];
        run(directory.path(), settings, &data, ranks, &(), &Interrupt::default()).unwrap_err()
    });
    for end in ends {
        match *end {
            ExperimentError::Training(TrainingError::Apart { rank: 1, what: "the settings" }) => {}
            other => panic!("{other:?}"),
        }
    }
    let alone = CpuLearner::on_ranks(&given[0], data.shape, data.classes, 1, Alone::shared());
    assert!(alone.is_ok());
}

/// As after a message that was damaged on its way.
#[test]
fn ranks_whose_weights_differ_are_told_apart() {
    let settings = settings("mlp-8", Method::sam(0.1), Some(2));
    let data = data(&settings);
    let ends = on_ranks(2, |ranks| {
        let rank = ranks.rank();
        let mut learner = CpuLearner::on_ranks(&settings, data.shape, data.classes, 1, ranks).unwrap();
        if rank == 1 {
            let mut weights = learner.parameters().unwrap().into_owned();
            weights[0] += 1.0;
            learner.set_parameters(&weights, &[]).unwrap();
        }
        let fingerprint = data.fingerprint().unwrap();
        let mut trainer = Trainer::new(&settings, &data, &fingerprint, Box::new(learner)).unwrap();
        while !trainer.at_epoch_end() {
            trainer.step().unwrap();
        }
        trainer.end_epoch(true).unwrap_err()
    });
    for end in ends {
        assert!(matches!(end, TrainingError::Apart { rank: 1, what: "the weights" }), "{end:?}");
    }
}
