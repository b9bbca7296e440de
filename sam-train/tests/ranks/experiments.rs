//! Experiments whose runs ranks share out: the runs, states and files of one process.
#![allow(clippy::result_large_err, reason = "errors of the crate, which nobody counts here")]

use std::{fs, path::Path, rc::Rc};

use sam_train::{
    data::Dataset,
    experiment::{
        ExperimentError,
        run_store::FinishedRun,
        runner::{ExperimentDirectory, Job, LoadedData, Runner},
        shared::Shared,
    },
    interrupt::Interrupt,
    observer::Host,
    ranks::{Alone, Ranks},
    training::{
        cpu::CpuLearner,
        learner::{Learner, LearnerError},
        settings::{Method, Settings},
        state::State,
        trainer::TrainingError,
    },
};

use super::{
    steps::{data, settings},
    threads::on_ranks,
};

const SEEDS: u64 = 5;

/// What a rank comes to: the runs, and the states in the middle of each.
type Outcome = Result<(Vec<FinishedRun>, Vec<State>), ExperimentError>;

/// Runs of several seeds, and one of them a second time; their states after the first of two epochs are kept.
fn outcome(ranks: &Rc<dyn Ranks>, directory: &Path, interrupt: &Interrupt, fails: bool) -> Outcome {
    let base = settings("mlp-8", Method::sam(0.1), None);
    let data = LoadedData::new(data(&base)).unwrap();
    let jobs: Vec<Job<'_>> = (0..SEEDS)
        .chain([0])
        .map(|seed| Job::new(Settings { seed, ..base.clone() }, &data).with_snapshots(vec![1]))
        .collect();
    let learner = |settings: &Settings, data: &Dataset| -> Result<Box<dyn Learner>, LearnerError> {
        if fails && settings.seed == 3 {
            return Err(LearnerError::backend(std::io::Error::other("no memory is left")));
        }
        Ok(Box::new(CpuLearner::new(settings, data.shape, data.classes, 1)?))
    };
    let shared = Shared::new(ranks);
    let place = shared.place(directory.to_owned()).unwrap();
    let conducted = || {
        let host = Host::quiet(interrupt);
        let mut runner = Runner::open_on(&shared, place.directory.clone(), 1, 1, host, &learner)?;
        let runs = runner.runs("testing", &jobs)?;
        let states = jobs.iter().map(|job| runner.state(job, 1)).collect::<Result<_, _>>()?;
        Ok((runs, states))
    };
    shared.ended(conducted())
}

#[test]
fn ranks_that_want_other_runs_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let ends = on_ranks(2, |ranks| {
        let base = settings("mlp-8", Method::sam(0.1), None);
        let data = LoadedData::new(data(&base)).unwrap();
        let seed = ranks.rank() as u64;
        let jobs = [Job::new(Settings { seed, ..base }, &data)];
        let learner = |settings: &Settings, data: &Dataset| -> Result<Box<dyn Learner>, LearnerError> {
            Ok(Box::new(CpuLearner::new(settings, data.shape, data.classes, 1)?))
        };
        let shared = Shared::new(&ranks);
        let place = shared.place(directory.path().join("apart")).unwrap();
        let interrupt = Interrupt::default();
        let mut runner =
            Runner::open_on(&shared, place.directory.clone(), 1, 1, Host::quiet(&interrupt), &learner)?;
        shared.ended(runner.runs("testing", &jobs))
    });
    for end in ends {
        let apart = TrainingError::Apart { rank: 1, what: "the settings or the data" };
        assert_eq!(end.unwrap_err().to_string(), ExperimentError::from(apart).to_string());
    }
}

/// What does not depend on the machine.
fn timeless((runs, states): (Vec<FinishedRun>, Vec<State>)) -> Vec<String> {
    let runs = runs.into_iter().map(|run| format!("{:?}", FinishedRun { ms_per_step: 0.0, ..run }));
    runs.chain(states.iter().map(State::weights_sha256)).collect()
}

fn on_one(directory: &Path) -> Vec<String> {
    timeless(outcome(&Alone::shared(), directory, &Interrupt::default(), false).unwrap())
}

fn kept(directory: &Path) -> usize {
    let runs = fs::read_to_string(ExperimentDirectory(directory.to_owned()).runs());
    runs.unwrap_or_default().lines().count()
}

#[test]
fn all_ranks_get_the_runs_and_states_of_one_process_and_the_first_keeps_them() {
    let directory = tempfile::tempdir().unwrap();
    let expected = on_one(&directory.path().join("one"));
    for size in [2, 4] {
        let first = directory.path().join(format!("{size}"));
        let on_all = || {
            on_ranks(size, |ranks| timeless(outcome(&ranks, &first, &Interrupt::default(), false).unwrap()))
        };
        for found in on_all() {
            assert_eq!(found, expected, "{size} ranks");
        }
        assert_eq!(kept(&first), SEEDS as usize);
        // A second time nothing is made, and the others are given the states that they never had.
        for found in on_all() {
            assert_eq!(found, expected, "{size} ranks again");
        }
        assert_eq!(kept(&first), SEEDS as usize);
        assert_eq!(on_one(&first), expected);
    }
}

#[test]
fn what_one_rank_was_stopped_in_goes_on_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let expected = on_one(&directory.path().join("one"));
    let first = directory.path().join("stopped");
    let ends = on_ranks(2, |ranks| {
        let interrupt = Interrupt::default();
        if ranks.rank() == 1 {
            interrupt.request();
        }
        outcome(&ranks, &first, &interrupt, false).unwrap_err()
    });
    assert!(ends[0].is_of_peer(), "{:?}", ends[0]);
    let told = ends[1].to_string();
    assert!(matches!(ends[1], ExperimentError::Interrupted { .. }) && told.contains("4 of 6"), "{told}");
    // Seeds 0, 2 and 4 are the first rank's, and 0 is wanted twice.
    assert_eq!(kept(&first), 3);
    let begun = fs::read_dir(first.join("unfinished")).unwrap().count();
    assert!(begun > 0, "the first rank has where the other's run stands");
    let resumed =
        on_ranks(2, |ranks| timeless(outcome(&ranks, &first, &Interrupt::default(), false).unwrap()));
    assert!(resumed.into_iter().all(|found| found == expected));
    assert!(!first.join("unfinished").exists());
}

#[test]
fn a_failure_of_one_rank_ends_all_and_what_the_others_have_made_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let first = directory.path().join("failed");
    let ends = on_ranks(2, |ranks| outcome(&ranks, &first, &Interrupt::default(), true).unwrap_err());
    assert!(ends[0].is_of_peer(), "{:?}", ends[0]);
    assert!(!ends[1].is_of_peer(), "{:?}", ends[1]);
    // Seeds 0, 2, 4 of the first, and 1 of the other.
    assert_eq!(kept(&first), 4);
}
