//! `sam train` killed at any moment: its checkpoint loads, and the resumed run ends with the same bits.

#![cfg(unix)]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use sam_train::training::checkpoint::Checkpoint;
use serde_json::Value;

use super::sam;

fn weights(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    result["weights_sha256"].as_str().unwrap().to_owned()
}

/// A linear congruential generator: the moments differ, the test does not from one time to the next.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Starts the run in `place`/r and kills it `after` it was started, or after it began to write a checkpoint, again and
/// again until it is finished. Returns how often it was killed, how often within a write, and its weights.
fn kill_until_finished(
    place: &Path,
    arguments: &str,
    in_writes_only: bool,
    mut after: impl FnMut(u64) -> Duration,
) -> (u64, usize, String) {
    let directory = place.join("r");
    let (checkpoint, part) =
        (directory.join("checkpoint.safetensors"), directory.join("checkpoint.safetensors.part"));
    let (mut kills, mut in_writes, mut epochs) = (0, 0, 0);
    loop {
        let threads = 1 + kills % 3;
        let arguments = if directory.join("config.toml").exists() {
            format!("train --resume r --json --threads {threads}")
        } else {
            format!("{arguments} --out r --json --threads {threads}")
        };
        let _ = fs::remove_file(&part);
        let mut child = sam(place, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut until = |stop: &dyn Fn() -> bool| {
            while !stop() && child.try_wait().unwrap().is_none() {
                thread::sleep(Duration::from_micros(100));
            }
        };
        if in_writes_only {
            until(&|| part.exists());
        }
        let started = Instant::now();
        let delay = after(kills);
        until(&|| started.elapsed() >= delay);
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        if output.status.code().is_some() {
            eprintln!("killed {kills} times, {in_writes} times within a write");
            return (kills, in_writes, weights(&output));
        }
        kills += 1;
        in_writes += usize::from(part.exists());
        if checkpoint.exists() {
            let position = Checkpoint::load(&checkpoint).unwrap().position;
            assert!(position.epochs >= epochs, "what was done is kept");
            epochs = position.epochs;
        }
    }
}

#[test]
fn a_run_killed_at_dozens_of_moments_ends_with_the_weights_of_one_that_was_not() {
    let place = tempfile::tempdir().unwrap();
    let arguments = "train --model resnet-8 --epochs 16 --batch 16 --limit 64 --augment cutout --label-noise 0.2 \
                     --warmup-epochs 3 --schedule step";
    let started = Instant::now();
    let whole = weights(&sam(place.path(), &format!("{arguments} --out whole --json")).output().unwrap());
    let time = started.elapsed().as_micros() as u64;
    let mut random = Random(7);
    // A tenth of the run at most at first, and later and later, so that it ends however loaded the machine is.
    let after = |kills| Duration::from_micros(random.below(time / 10) + time / 200 * kills);
    let (kills, _, killed) = kill_until_finished(place.path(), arguments, false, after);
    assert!(kills >= 5, "killed {kills} times only");
    assert_eq!(killed, whole);
}

/// With 8 MB of state a write takes some milliseconds.
#[test]
fn a_run_killed_within_its_writes_ends_with_the_weights_of_one_that_was_not() {
    let place = tempfile::tempdir().unwrap();
    let arguments = "train --model mlp-1000-900 --epochs 12 --batch 64 --limit 64";
    let whole = weights(&sam(place.path(), &format!("{arguments} --out whole --json")).output().unwrap());
    let mut random = Random(3);
    // At once at first, and later and later, so that the run ends.
    let after = |kills| Duration::from_micros(random.below(1000 * kills + 1));
    let (kills, in_writes, killed) = kill_until_finished(place.path(), arguments, true, after);
    assert!(kills >= 6 && in_writes >= 3, "killed {kills} times, {in_writes} times within a write");
    assert_eq!(killed, whole);
}

/// The system ends a process at the byte with which its file gets too long, or fails the write if it is told to.
#[test]
fn a_file_that_cannot_grow_leaves_the_checkpoint_before_it() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let limited = |trap: &str, blocks: u32, arguments: &str| {
        let mut shell = Command::new("bash");
        let sam = assert_cmd::cargo::cargo_bin!("sam").display().to_string();
        let script = format!("{trap} ulimit -c 0; ulimit -f {blocks}; exec {sam} {arguments}");
        shell.args(["-c", &script]).current_dir(place).output().unwrap()
    };
    let arguments = "train --model mlp-100-100 --epochs 3 --limit 128";
    let whole = weights(&sam(place, &format!("{arguments} --out whole --json")).output().unwrap());
    let size = fs::metadata(place.join("whole/checkpoint.safetensors")).unwrap().len();
    // Up to the last KiB of the file, which the limit counts in.
    for blocks in [4, 16, size as u32 / 2048, size as u32 / 1024 - 1] {
        let run = format!("r{blocks}");
        let killed = limited("", blocks, &format!("{arguments} --out {run}"));
        assert_eq!(killed.status.code(), None, "ended by a signal");
        let checkpoint = place.join(&run).join("checkpoint.safetensors");
        assert!(!checkpoint.exists());
        let failed = limited("trap '' XFSZ;", blocks, &format!("train --resume {run}"));
        let stderr = String::from_utf8(failed.stderr).unwrap();
        assert_eq!(failed.status.code(), Some(1), "{stderr}");
        let last = stderr.lines().last().unwrap();
        assert!(
            last.starts_with("error: ") && last.contains("checkpoint.safetensors: cannot be written"),
            "{last}"
        );
        assert!(!checkpoint.exists() && !checkpoint.with_extension("safetensors.part").exists());
        let resumed = sam(place, &format!("train --resume {run} --json")).output().unwrap();
        assert_eq!(weights(&resumed), whole);
    }
}

/// A file system of its own, in a mount namespace of its own, that has room for one checkpoint but not for two.
#[test]
fn a_full_file_system_leaves_the_checkpoint_before_it_and_takes_the_run_up_again_once_there_is_room() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let arguments = "train --model mlp-100-100 --epochs 3 --limit 128";
    let whole = weights(&sam(place, &format!("{arguments} --out whole --json")).output().unwrap());
    let size = fs::metadata(place.join("whole/checkpoint.safetensors")).unwrap().len();
    fs::create_dir(place.join("full")).unwrap();
    let script = format!(
        "mount -t tmpfs -o size={}k tmpfs full && cd full || exit 77
         $SAM {arguments} --out r; echo code $?; ls r
         mount -o remount,size={}k . && $SAM train --resume r --json",
        (size * 3 / 2) >> 10,
        (size * 3) >> 10
    );
    let mut shell = Command::new("unshare");
    shell.args(["--map-root-user", "--mount", "bash", "-c", &script]).current_dir(place);
    let output = match shell.env("SAM", assert_cmd::cargo::cargo_bin!("sam")).output() {
        Ok(output) if output.status.code() != Some(77) && !output.stdout.is_empty() => output,
        refused => return println!("skipped: this system lets nobody mount a file system: {refused:?}"),
    };
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let expected = ["code 1", "checkpoint.safetensors", "config.toml", "metrics.jsonl"];
    let mut lines = stdout.lines();
    assert_eq!(lines.by_ref().take(4).collect::<Vec<_>>(), expected, "{stderr}");
    let error = stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(error.contains("checkpoint.safetensors: cannot be written: No space left on device"), "{error}");
    let result: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(result["weights_sha256"], whole, "{stderr}");
}

#[test]
fn two_processes_cannot_work_in_one_directory() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let long = "train --model resnet-8 --epochs 1000 --limit 640";
    let mut first = sam(place, &format!("{long} --out r")).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !place.join("r/config.toml").exists() {
        assert!(started.elapsed() < Duration::from_secs(60) && first.try_wait().unwrap().is_none());
        thread::sleep(Duration::from_millis(2));
    }
    let second = sam(place, "train --resume r").output().unwrap();
    let stderr = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("r: expected a directory that no other process works in"), "{stderr}");
    first.kill().unwrap();
    first.wait().unwrap();
    // A process that was killed holds nothing.
    let mut third = sam(place, "train --resume r").stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(Duration::from_millis(500));
    assert!(third.try_wait().unwrap().is_none(), "the run goes on");
    third.kill().unwrap();
    third.wait().unwrap();
}
