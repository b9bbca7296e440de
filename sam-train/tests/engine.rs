//! The engine under a host program of one's own: the example, as a user runs it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
};

/// Runs the example, which stands beside the folder of this test.
fn follow(directory: &Path, epochs: &str) -> Output {
    let example = env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples/follow_a_run");
    let output = Command::new(&example).arg(directory).arg(epochs).output();
    // `cargo test` that names its targets does not build it.
    output.unwrap_or_else(|error| {
        panic!("{}: {error}; first cargo build -p sam-train --examples", example.display())
    })
}

#[test]
fn a_host_program_follows_a_run_and_finds_it_whole() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("run");
    let output = follow(&directory, "3");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "the engine itself writes to no terminal");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("training: 0 of "), "{text}");
    for (line, epoch) in lines[1..4].iter().zip(1..) {
        assert!(line.starts_with(&format!("epoch {epoch} of 3: training loss ")), "{text}");
    }
    assert!(lines[4].starts_with("mlp-32 on digits, SAM, 3 epochs: test error "), "{text}");
    let metrics = fs::read_to_string(directory.join("metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().count(), 3);
    assert!(directory.join("result.json").exists());
    assert!(!directory.join("curves.svg").exists(), "the engine draws nothing");

    let again = follow(&directory, "3");
    assert!(again.status.success(), "a finished run is found again");
    assert!(String::from_utf8(again.stdout).unwrap().starts_with("training: "));

    let longer = follow(&directory, "4");
    assert!(longer.status.success(), "a finished run goes on for another epoch");
    let other = follow(&directory, "2");
    assert_eq!(other.status.code(), Some(1), "the directory is of a run of four epochs");
}
