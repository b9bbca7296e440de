//! Every method of `sam train`, interrupted within an epoch and resumed on another number of threads.

#![cfg(unix)]

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use sam_train::training::{checkpoint::Checkpoint, settings::Method};
use serde_json::Value;

use super::sam;

/// Twenty-five epochs of 20 steps. A group of m-sharpness is half a batch.
const RUN: &str = "train --model mlp-64 --limit 40 --epochs 25 --batch 2 --label-noise 0.1 --json";

/// Methods with the hyper-parameters that are not their defaults.
const ROWS: [&str; 15] = [
    "sgd",
    "sam --rho 0.1 --norm inf",
    "asam --eta 0.1",
    "asam-weights --rho 0.4",
    "random-sam --rho 0.5",
    "multi-step-sam --steps 3",
    "second-order-sam --rho 0.02",
    "m-sharpness --m 1",
    "gsam --alpha 0.5",
    "look-sam --k 3 --alpha 0.5",
    "wsam --gamma 0.7",
    "friendly-sam --sigma 0.5 --lambda 0.6",
    "momentum-sam --rho 0.3",
    "esam --beta 0.5",
    "mixup --alpha 8",
];

/// The last line of a run that must succeed.
fn result(place: &Path, arguments: &str) -> Value {
    let output = sam(place, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Starts the run in `place`/stopped and interrupts it after its first epoch; returns the steps done and all steps, if it
/// was not over before the signal came.
fn interrupted(place: &Path, arguments: &str) -> Option<(u64, u64)> {
    let directory = place.join("stopped");
    if directory.exists() {
        fs::remove_dir_all(&directory).unwrap();
    }
    let mut child = sam(place, &format!("{arguments} --out stopped"));
    let child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while !directory.join("checkpoint.safetensors").exists() {
        thread::sleep(Duration::from_micros(200));
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    if output.status.success() {
        return None;
    }
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    let said = stderr.lines().find(|line| line.contains("steps are in the checkpoint")).unwrap();
    let numbers = said.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok());
    let numbers: Vec<u64> = numbers.collect();
    Some((numbers[0], numbers[1]))
}

/// Makes the run whole, and another that is stopped within it and resumed; both must end alike. Returns the last line.
fn stopped_and_resumed(arguments: &str) -> Value {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let whole = result(place, &format!("{arguments} --threads 1 --out whole"));
    // The signal comes when it comes: too late for a run, it is sent to another.
    let mut attempts = (0..20).filter_map(|_| interrupted(place, &format!("{arguments} --threads 1")));
    let stopped = attempts.find(|&(done, total)| done > 0 && done < total);
    let (done, total) = stopped.expect("one of 20 runs is slower than the signal");
    let resumed = result(place, "train --resume stopped --threads 2 --json");
    let said = format!("{arguments}: stopped after {done} steps of {total}");
    for (field, value) in whole.as_object().unwrap() {
        let may_differ = ["images_per_s", "peak_memory_bytes"].contains(&field.as_str());
        assert!(may_differ || resumed[field] == *value, "{said}: {field} is {}, not {value}", resumed[field]);
    }
    let [stopped, whole_state] = ["stopped", "whole"]
        .map(|run| Checkpoint::load(&place.join(run).join("checkpoint.safetensors")).unwrap().state);
    assert!(stopped == whole_state, "{said}");
    whole
}

#[test]
fn every_method_stopped_within_a_run_ends_with_the_weights_of_one_that_was_not() {
    let names: BTreeSet<_> = ROWS.iter().map(|row| row.split(' ').next().unwrap()).collect();
    assert_eq!(names, Method::ALL.iter().map(Method::name).collect());
    let mut weights = BTreeSet::new();
    for row in ROWS {
        let whole = stopped_and_resumed(&format!("{RUN} --optimizer {row}"));
        // What was given is what was done, and the method is one of its own.
        let mut words = row.split_whitespace();
        assert_eq!(whole["optimizer"], words.next().unwrap());
        while let (Some(flag), Some(value)) = (words.next(), words.next()) {
            let found = &whole[flag.trim_start_matches('-')];
            let given = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
            assert_eq!(given.trim_end_matches(".0"), value, "{row}: {flag}");
        }
        assert!(weights.insert(whole["weights_sha256"].to_string()), "{row} is another's");
    }
}

#[test]
fn averages_clipping_and_growing_batches_resume_alike() {
    let rest = "--epochs 12 --augment basic --clip-norm 0.5 --swa-from 1 --schedule constant --json";
    for row in [
        "--model mlp-64 --limit 100 --batch 2,3 --optimizer look-sam --ema 0.99",
        "--model resnet-8 --batch 8,16 --limit 64 --optimizer sam --ema 0.9",
    ] {
        let result = stopped_and_resumed(&format!("train {row} {rest}"));
        for average in ["ema_test_error", "swa_test_error"] {
            assert!((0.0..=100.0).contains(&result[average].as_f64().unwrap()), "{result}");
        }
    }
}
