//! Several processes and their surroundings: starts at once, directories that vanish, signals, files of others.

#![cfg(unix)]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use sam_train::files;

/// A run that would take minutes.
const LONG: &str = "train --model mlp-8 --epochs 100000 --threads 1";

fn sam(place: &Path, arguments: &str) -> Command {
    let mut command = super::sam(place, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(place: &Path, arguments: &str) -> Output {
    sam(place, arguments).output().unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[test]
fn runs_started_at_once_without_a_directory_get_one_each() {
    let place = tempfile::tempdir().unwrap();
    let arguments =
        |seed: usize| format!("train --model mlp-4 --epochs 1 --limit 64 --threads 1 --seed {seed}");
    let children: Vec<Child> =
        (0..6).map(|seed| sam(place.path(), &arguments(seed)).spawn().unwrap()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let runs = fs::read_dir(place.path().join("runs")).unwrap();
    let finished = runs.filter(|run| run.as_ref().unwrap().path().join("result.json").exists());
    assert_eq!(finished.count(), 6);
}

/// As when the first of two starts is killed before its first checkpoint, after the second has looked.
#[test]
fn a_start_never_goes_on_with_another_run_that_has_its_directory() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("run");
    let first = output(place.path(), "train --model mlp-4 --epochs 1 --limit 64 --seed 1 --out run");
    assert!(first.status.success());
    let config = fs::read_to_string(directory.join("config.toml")).unwrap();
    fs::remove_file(directory.join("config.toml")).unwrap();
    for file in ["checkpoint.safetensors", "metrics.jsonl", "result.json"] {
        let _ = fs::remove_file(directory.join(file));
    }

    // The engine itself, since the command looks before it calls it.
    use sam_train::{
        data::DataSource,
        experiment::{
            ExperimentError,
            train::{RunDirectory, train},
        },
        interrupt::Interrupt,
        observer::Host,
        training::{
            backend::{Backend, BackendName},
            config::{Config, Machine},
            nonfinite::OnNonFinite,
            settings::{Method, Settings},
        },
    };
    let mut run = Settings::new("mlp-4".parse().unwrap(), DataSource::Digits, Method::SAM);
    (run.epochs, run.data.limit) = (1, Some(64));
    let config_of_second =
        Config { on_nonfinite: OnNonFinite::Stop, recipe: None, machine: Machine::cpu(1), run };
    let dataset = config_of_second.run.data.name.load(None, Some(64)).unwrap();
    let backend = Backend::open(BackendName::Cpu, 1).unwrap();
    let learner = backend.learner(&config_of_second.run, dataset.shape, dataset.classes).unwrap();
    fs::write(directory.join("config.toml"), &config).unwrap();
    let interrupt = Interrupt::default();
    let host = Host::quiet(&interrupt);
    let result = train(&RunDirectory::new(&directory), &config_of_second, &dataset, learner, host);
    assert!(matches!(result, Err(ExperimentError::Occupied { .. })), "{result:?}");
    assert_eq!(fs::read_to_string(directory.join("config.toml")).unwrap(), config);
    assert!(!directory.join("checkpoint.safetensors").exists());
}

#[test]
fn a_run_whose_directory_was_removed_and_made_again_writes_nothing_into_the_new_one() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("run");
    let child = sam(place.path(), &format!("{LONG} --out run")).spawn().unwrap();
    until("no epoch was finished", || lines(&directory.join("metrics.jsonl")) > 2);
    signal(&child, "STOP");
    fs::remove_dir_all(&directory).unwrap();
    fs::create_dir(&directory).unwrap();
    signal(&child, "CONT");
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("error: run: expected the directory that the run began in"), "{text}");
    assert!(!directory.join("checkpoint.safetensors").exists());
}

#[test]
fn a_signal_that_is_ignored_at_the_start_stays_ignored() {
    let place = tempfile::tempdir().unwrap();
    for name in ["HUP", "INT"] {
        let metrics = place.path().join(name).join("metrics.jsonl");
        let program = assert_cmd::cargo::cargo_bin!("sam");
        let script = format!("trap '' {name}; exec {} {LONG} --out {name}", program.display());
        let mut command = Command::new("sh");
        command.args(["-c", &script]).current_dir(place.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        until("no epoch was finished", || lines(&metrics) > 0);
        signal(&child, name);
        let before = lines(&metrics);
        until("the run does not go on", || lines(&metrics) > before + 20);
        assert!(child.try_wait().unwrap().is_none(), "{name} ended it");
        signal(&child, "TERM");
        assert_eq!(child.wait().unwrap().code(), Some(130), "{name}");
    }
}

/// Other tests send SIGTERM: whoever runs them in the background may have SIGINT ignored, which stays so.
#[test]
fn every_signal_that_asks_to_stop_leaves_a_run_that_can_go_on() {
    let place = tempfile::tempdir().unwrap();
    let program = assert_cmd::cargo::cargo_bin!("sam");
    for name in ["INT", "TERM", "HUP"] {
        let metrics = place.path().join(name).join("metrics.jsonl");
        let mut command = Command::new("env");
        command.arg(format!("--default-signal={name}")).arg(program);
        command.args(format!("{LONG} --out {name}").split_whitespace());
        command.current_dir(place.path()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        until("no epoch was finished", || lines(&metrics) > 0);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(130), "{name}: {text}");
        assert!(text.ends_with(&format!("go on with: sam train --resume {name}\n")), "{text}");
    }
}

/// Both signals wait while the process is stopped, so that nothing is done between them.
#[test]
fn the_second_signal_ends_a_run_at_once() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = place.path().join("run/checkpoint.safetensors");
    let mut command = Command::new("env");
    command.arg("--default-signal=HUP,TERM").arg(assert_cmd::cargo::cargo_bin!("sam"));
    command.args(format!("{LONG} --out run").split_whitespace());
    command.current_dir(place.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    until("no epoch was finished", || checkpoint.exists());
    for name in ["STOP", "HUP", "TERM", "CONT"] {
        signal(&child, name);
    }
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(!text.contains("go on with"), "it took its leave: {text}");
    assert!(checkpoint.exists());
}

#[test]
fn only_regular_files_are_replaced_no_link_is_followed_and_modes_stay() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::write(at("others"), "theirs").unwrap();

    symlink(at("others"), at("link")).unwrap();
    let refused = files::replace(&at("link"), b"ours").unwrap_err().to_string();
    assert!(refused.contains("expected a regular file, found a link"), "{refused}");
    assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
    fs::create_dir(at("folder")).unwrap();
    let refused = files::replace(&at("folder"), b"ours").unwrap_err().to_string();
    assert!(refused.contains("expected a regular file, found a directory"), "{refused}");
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    let refused = files::replace(&at("pipe"), b"ours").unwrap_err().to_string();
    assert!(refused.contains("expected a regular file, found neither file nor directory"), "{refused}");

    symlink(at("others"), at("new.part")).unwrap();
    files::replace(&at("new"), b"ours").unwrap();
    assert_eq!(fs::read(at("new")).unwrap(), b"ours");
    assert_eq!(fs::read(at("others")).unwrap(), b"theirs", "nothing was written through the link");
    assert!(!fs::exists(at("new.part")).unwrap());

    for mode in [0o600, 0o640, 0o444] {
        fs::set_permissions(at("new"), fs::Permissions::from_mode(mode)).unwrap();
        files::replace(&at("new"), b"newer").unwrap();
        assert_eq!(fs::metadata(at("new")).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[test]
fn a_run_goes_on_without_figures_that_were_lost_and_says_so() {
    let place = tempfile::tempdir().unwrap();
    let metrics = place.path().join("run/metrics.jsonl");
    let child = sam(place.path(), &format!("{LONG} --out run")).spawn().unwrap();
    until("no epoch was finished", || lines(&metrics) > 3);
    signal(&child, "TERM");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    let before = lines(&metrics);
    fs::remove_file(&metrics).unwrap();
    let child = sam(place.path(), "train --resume run").spawn().unwrap();
    until("the run does not go on", || lines(&metrics) > 3);
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{text}");
    // The checkpoint itself has the last one's.
    let said = format!(
        "warning: run/metrics.jsonl: expected the figures that the checkpoint knows, found others or none; \
                        the run goes on without those of {} epochs",
        before - 1
    );
    assert_eq!(text.lines().next().unwrap(), said, "{text}");
}

#[test]
fn the_first_signal_ends_a_step_of_billions_of_gradients_and_leaves_a_checkpoint() {
    let place = tempfile::tempdir().unwrap();
    let endless =
        "train --model mlp-8 --epochs 1 --threads 1 --optimizer multi-step-sam --steps 4294967295 --out r";
    let child = sam(place.path(), endless).spawn().unwrap();
    until("the run has begun", || place.path().join("r/config.toml").exists());
    // It is in its first step, or just before it: either is good.
    thread::sleep(Duration::from_millis(300));
    signal(&child, "TERM");
    let started = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(place.path().join("r/checkpoint.safetensors").exists());
}
