//! What a run needs of its system: a lock, files that are replaced, an end that is not its own. Nothing here is of one system alone.
#![cfg(feature = "command")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// `sam` with these arguments, by what `$SAM_TEST_RUNNER` names if this machine cannot start it itself.
fn sam(arguments: &[&str]) -> Command {
    let runner = std::env::var("SAM_TEST_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace().chain([env!("CARGO_BIN_EXE_sam")]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn train(out: &Path) -> Command {
    let out = out.to_str().unwrap();
    sam(&[
        "train",
        "--model",
        "mlp-8",
        "--limit",
        "200",
        "--epochs",
        "400",
        "--threads",
        "1",
        "--json",
        "--out",
        out,
    ])
}

fn resume(directory: &Path) -> Output {
    sam(&["train", "--threads", "1", "--json", "--resume", directory.to_str().unwrap()]).output().unwrap()
}

/// The hash of the weights that a run ended with.
fn weights(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let at = text.find("weights_sha256").unwrap_or_else(|| panic!("{text}"));
    text[at..].split('"').nth(2).unwrap().to_owned()
}

#[test]
fn a_run_keeps_others_out_while_it_lives_and_is_resumed_to_the_same_bits_once_it_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let whole = weights(&train(&folder.path().join("whole")).output().unwrap());

    let directory = folder.path().join("killed");
    let mut running = train(&directory).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while !directory.join("checkpoint.safetensors").exists() {
        assert!(Instant::now() < deadline, "no checkpoint");
        thread::sleep(Duration::from_millis(2));
    }
    // On a fast machine it may be done already; then there is nobody to be kept out.
    let second = resume(&directory);
    let alive = running.try_wait().unwrap().is_none();
    if alive {
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert!(!second.status.success() && said.contains("no other process"), "{said}");
    }
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(weights(&resume(&directory)), whole);
}

#[test]
fn what_is_left_of_a_write_is_no_hindrance_and_files_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("run");
    let first = weights(&train(&directory).output().unwrap());
    // A finished run is found finished; nothing else is in its directory than what docs/files.md says.
    assert_eq!(weights(&resume(&directory)), first);
    let mut names: Vec<String> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["checkpoint.safetensors", "config.toml", "curves.png", "curves.svg", "metrics.jsonl", "result.json"]
    );

    let report = folder.path().join("report.html");
    for _ in 0..2 {
        let output = sam(&["report", directory.to_str().unwrap(), "--out", report.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(fs::read_to_string(&report).unwrap().contains("mlp-8"));
}
