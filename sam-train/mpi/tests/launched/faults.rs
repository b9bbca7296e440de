//! What becomes of a run when one rank fails, is killed or is asked to stop: nothing hangs, nothing is lost.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::launch::{Launched, example, is_open_mpi, launcher, send, start, start_sam, wait_for};

/// Long enough to be interrupted.
const LONG: &[&str] = &[
    "--limit",
    "64",
    "--batch",
    "32",
    "--model",
    "mlp-16",
    "--epochs",
    "200",
    "--optimizer",
    "sam",
    "--groups",
    "4",
    "--threads",
    "1",
    "--json",
];

struct Run(tempfile::TempDir);

impl Run {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("run")
    }

    /// A run on so many ranks that has finished an epoch.
    fn begun(&self, ranks: usize, shard_state: &str) -> Launched {
        let path = self.path();
        let out = ["train", "--out", path.to_str().unwrap(), "--shard-state", shard_state];
        let launched = start_sam(ranks, &[&out, LONG].concat());
        wait_for(&path.join("checkpoint.safetensors"));
        // A few steps more.
        std::thread::sleep(Duration::from_millis(50));
        launched
    }

    /// The weights at its end, reached on so many ranks that keep parts of its state or all of it.
    fn resumed(&self, ranks: usize, shard_state: &str) -> String {
        assert!(!self.path().join("result.json").exists(), "finished before it was interrupted");
        let path = self.path();
        let resume = ["train", "--resume", path.to_str().unwrap(), "--json", "--shard-state", shard_state];
        start_sam(ranks, &resume).end().weights()
    }
}

fn uninterrupted() -> String {
    let run = Run::new();
    let path = run.path();
    start_sam(1, &[&["train", "--out", path.to_str().unwrap()], LONG].concat()).end().weights()
}

/// Open MPI starts ranks as children of its launcher, passes SIGUSR1 on, and lets ranks end in order.
fn under_open_mpi() -> bool {
    is_open_mpi(&launcher())
}

#[test]
fn a_run_that_was_stopped_or_killed_goes_on_to_the_same_weights_on_other_numbers_of_ranks() {
    if !under_open_mpi() {
        return;
    }
    let expected = uninterrupted();

    let warned = Run::new();
    let launched = warned.begun(2, "off");
    launched.signal("USR1");
    let ended = launched.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert_eq!(ended.stderr.matches("interrupted: ").count(), 1, "{ended:?}");
    assert_eq!(warned.resumed(4, "on"), expected);

    // The second rank alone is asked; all stop.
    let asked = Run::new();
    let launched = asked.begun(4, "on");
    send("TERM", launched.ranks()[1]);
    let ended = launched.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert_eq!(asked.resumed(1, "on"), expected);

    let killed = Run::new();
    let launched = killed.begun(2, "on");
    send("KILL", launched.ranks()[1]);
    let ended = launched.end();
    assert_eq!(ended.code, Some(137), "{ended:?}");
    assert_eq!(killed.resumed(2, "off"), expected);
}

#[test]
fn a_panic_ends_all_ranks() {
    let program = example("panics");
    let ended = start(&launcher(), &["-n", "2", program.to_str().unwrap()]).end();
    assert_ne!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("the last rank"), "{ended:?}");
}

#[test]
fn an_error_of_one_rank_ends_all_and_names_it() {
    let run = Run::new();
    let (path, program) = (run.path(), env!("CARGO_BIN_EXE_sam-mpi"));
    let all = ["train", "--out", path.to_str().unwrap(), "--data", "mnist", "--epochs", "1", "--data-dir"];
    let empty = |name: &str| {
        let directory = run.0.path().join(name);
        std::fs::create_dir(&directory).unwrap();
        directory.to_str().unwrap().to_owned()
    };
    let (first, second) = (empty("first"), empty("second"));
    let first: &[&str] = &[&["-n", "1", program], &all[..], &[&first]].concat();
    let second: &[&str] = &[&["-n", "1", program], &all[..], &[&second]].concat();
    let ended = start(&launcher(), &[first, &[":"], second].concat()).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    // Each has its own error, and the first tells both.
    assert!(ended.stderr.contains("rank 0: error: "), "{ended:?}");
    assert!(ended.stderr.contains("rank 1: error: "), "{ended:?}");
    assert!(!path.exists(), "a directory is left behind by runs only");
}

#[test]
fn numbers_that_are_not_finite_and_bad_arguments_are_told_once() {
    let run = Run::new();
    let path = run.path();
    let out = ["train", "--out", path.to_str().unwrap()];
    let ended = start_sam(2, &[&out[..], &["--lr", "1e30"], LONG].concat()).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stderr.matches("expected finite numbers").count(), 1, "{ended:?}");

    for (arguments, text) in [
        (&["models"][..], "`train`, `bench` and experiments share their work out, this does not"),
        (&["train", "--epochs", "none"], "invalid value 'none'"),
        (&["train", "--optimizer", "m-sharpness", "--m", "64"], "--groups: expected at least 2"),
        (&["train", "--optimizer", "m-sharpness", "--m", "24"], "--m: expected --batch / --groups images"),
    ] {
        let ended = start_sam(2, arguments).end();
        assert_eq!(ended.stderr.matches(text).count(), 1, "{arguments:?}: {ended:?}");
        assert_ne!(ended.code, Some(0));
    }
}

#[test]
fn processes_that_do_not_know_of_each_other_are_refused() {
    let other = if under_open_mpi() { "mpirun.mpich" } else { "mpirun.openmpi" };
    let there = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join(other).exists()));
    if !there {
        assert!(std::env::var_os("CI").is_none(), "expected {other} in continuous integration");
        return;
    }
    let run = Run::new();
    let path = run.path();
    let program = env!("CARGO_BIN_EXE_sam-mpi");
    let arguments = [&["-n", "2", program, "train", "--out", path.to_str().unwrap()], LONG].concat();
    let ended = start(other, &arguments).end();
    assert!(ended.stderr.contains("expected the 2 processes"), "{:?} {:.400}", ended.code, ended.stderr);
    assert_ne!(ended.code, Some(0), "{ended:?}");
    assert!(!Path::new(&path).exists());
}
