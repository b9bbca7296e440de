//! The `sam` command as a user meets it: exit codes, messages, JSON, interrupts, and what may befall its process.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

mod bad_input;
mod comparisons;
mod kills;
mod processes;
mod recipes;
mod resumed_methods;
mod runs;
mod trained;
mod validation;

/// The command in that directory.
fn sam(place: &Path, arguments: &str) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sam"));
    command.args(arguments.split_whitespace()).current_dir(place).env_remove("SAM_DATA");
    command
}

/// A directory to run in, removed at the end.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &str) -> Command {
        sam(self.0.path(), arguments)
    }

    fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Standard output of a command that must succeed.
    fn stdout(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The one JSON object that a command must print.
    fn json(&self, arguments: &str) -> Value {
        serde_json::from_str(&self.stdout(arguments)).unwrap()
    }

    fn files(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(directory)).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn bad_usage_exits_with_2_and_failure_with_1_and_each_says_what_to_do() {
    let place = Place::new();
    fs::write(place.path("file"), "no directory").unwrap();
    fs::create_dir(place.path("occupied")).unwrap();
    fs::write(place.path("occupied/config.toml"), "garbage").unwrap();
    let cases: &[(&str, i32, &[&str])] = &[
        ("no-such-command", 2, &["no-such-command", "--help"]),
        ("train --rho -0.1", 2, &["--rho", "-0.1", "from 0 up"]),
        ("train --rho nan", 2, &["--rho", "NaN", "from 0 up"]),
        ("train --lr inf", 2, &["--lr", "inf"]),
        ("train --norm 0.99", 2, &["--norm", "0.99", "[1, inf]"]),
        ("train --momentum 1", 2, &["--momentum", "below 1"]),
        ("train --label-noise 1.5", 2, &["--label-noise", "0 to 1"]),
        ("train --mixup 0", 2, &["--mixup", "above 0"]),
        ("train --mixup 1 --optimizer mixup", 2, &["--mixup", "--optimizer mixup"]),
        ("train --mixup 1 --optimizer second-order-sam", 2, &["--mixup", "--optimizer second-order-sam"]),
        ("train --label-smoothing 1", 2, &["--label-smoothing", "below 1"]),
        ("train --weight-decay -1", 2, &["--weight-decay"]),
        ("train --epochs 0", 2, &["--epochs", "from 1 up"]),
        ("train --batch 0", 2, &["--batch", "from 1 up"]),
        ("train --batch 1201", 2, &["--batch 1201", "1200", "smaller"]),
        ("train --limit 0", 2, &["--limit", "from 1 up"]),
        ("train --threads 0", 2, &["--threads"]),
        ("train --model resnet-9", 2, &["--model", "resnet-D"]),
        ("train --data imagenet", 2, &["--data", "fashion-mnist"]),
        ("train --optimizer adams", 2, &["--optimizer", "sgd, sam, asam"]),
        ("train --optimizer adam", 2, &["--optimizer", "--base adam"]),
        ("train --base gsam", 2, &["--base", "--optimizer gsam"]),
        ("train --base adam --momentum 0.5", 2, &["--momentum", "--base sgd, rmsprop or rmsprop-tf", "adam"]),
        (
            "train --base lion --epsilon 1",
            2,
            &["--epsilon", "--base adam, adamw, rmsprop or rmsprop-tf", "lion"],
        ),
        ("train --base adamw --decoupled", 2, &["--decoupled", "--base sgd"]),
        ("train --perturb weights --optimizer mixup", 2, &["--perturb", "sam, asam", "mixup"]),
        ("train --rho-from 41", 2, &["--rho-from", "41", "--epochs"]),
        ("train --out occupied", 2, &["occupied", "--resume"]),
        ("train --resume occupied --out other", 2, &["--resume", "--out"]),
        ("compare --batch 1201", 2, &["--batch 1201", "1200", "smaller"]),
        ("compare --seeds 0", 2, &["--seeds", "from 1 up"]),
        ("compare --label-noise 0,2", 2, &["--label-noise", "found 2"]),
        ("bench --steps 8", 2, &["--steps", "from 9 up"]),
        ("bench --seconds -1", 2, &["--seconds", "from 0 up"]),
        ("bench --seconds 1 --steps 9", 2, &["--seconds", "--steps"]),
        ("bench --image 28x28", 2, &["--image", "28x28x1"]),
        ("train --resume occupied", 1, &["occupied/config.toml", "line 1", "--out"]),
        ("train --resume nowhere", 1, &["nowhere", "config.toml", "sam train --out"]),
        ("train --data mnist --data-dir nowhere", 1, &["mnist", "nowhere", "--data-dir"]),
        ("train --data cifar-10 --data-dir nowhere", 1, &["cifar-10-binary.tar.gz"]),
        ("compare --model wrn-10-1 --data-dir . --data mnist", 1, &["mnist", "--data-dir"]),
        ("train --epochs 1 --out file/run", 1, &["file/run", "cannot be created"]),
        ("compare --epochs 1 --seeds 1 --out file", 1, &["file", "cannot be created"]),
    ];
    for (arguments, code, words) in cases {
        let output = place.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(*code), "{arguments}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments}");
        let first = stderr.lines().next().unwrap_or_default();
        assert!(first.starts_with("error: "), "{arguments}: {stderr}");
        for word in *words {
            assert!(stderr.contains(word), "{arguments}: no {word} in: {stderr}");
        }
    }
    assert_eq!(place.files("."), ["file", "occupied"], "nothing is left behind");
    assert_eq!(place.files("occupied"), ["config.toml"]);
}

/// Waits until the run in `directory` has written down `epochs` epochs.
fn wait_for_epochs(directory: &Path, epochs: usize) {
    let started = Instant::now();
    let count = || fs::read_to_string(directory.join("metrics.jsonl")).map_or(0, |text| text.lines().count());
    while count() < epochs {
        assert!(started.elapsed() < Duration::from_secs(60), "no epoch {epochs} in a minute");
        thread::sleep(Duration::from_millis(2));
    }
}

fn start(place: &Place, arguments: &str) -> Child {
    place.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn help_of_every_command_has_examples() {
    let place = Place::new();
    for command in ["", "compare", "train", "bench"] {
        let help = place.stdout(&format!("{command} --help"));
        assert!(help.contains("Examples:\n  sam "), "{command}: {help}");
    }
}

#[test]
fn a_quiet_command_says_nothing_but_results_and_errors() {
    let place = Place::new();
    let output = place.run("train -q --model mlp-8 --limit 100 --epochs 2 --batch 30 --out a");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!place.run("train -q --resume nowhere").stderr.is_empty());
    let loud = place.run("train --model mlp-8 --limit 100 --epochs 2 --batch 30 --out b");
    let said = String::from_utf8(loud.stderr).unwrap();
    for part in
        ["100 images to train on", "mlp-8: ", "2 epochs of batches of 30, 6 steps", "next: sam evaluate b"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_shell_gets_completions_and_a_reader_manual_pages_and_info_says_what_there_is() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = place.stdout(&format!("completions {shell}"));
        assert!(script.contains("rho-warmup-epochs") && script.contains("predict-gap"), "{shell}");
    }
    place.stdout("man --out pages");
    let pages = place.files("pages");
    assert!(
        ["sam.1", "sam-train.1", "sam-ablate-norm.1"].iter().all(|page| pages.contains(&(*page).into())),
        "{pages:?}"
    );
    let page = fs::read_to_string(place.path("pages/sam-train.1")).unwrap();
    assert!(page.contains(".SH OPTIONS") && page.contains("rho"), "{page}");
    let info = place.json("info --json");
    assert!(info["cores"].as_u64().unwrap() >= 1 && info["data"]["digits"] == true, "{info}");
    assert!(place.stdout("info").contains("digits         found"));
}
