//! The `sam` command as a user meets it: exit codes, messages, JSON, interrupts.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

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
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sam"));
        command.args(arguments.split_whitespace()).current_dir(self.0.path()).env_remove("SAM_DATA");
        command
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

#[test]
fn compare_prints_the_promised_json_and_repeats_no_run() {
    let place = Place::new();
    let arguments = "compare --json --epochs 6 --seeds 3 --limit 300 --label-noise 0,0.3 --threads 2 --out c";
    let first = place.stdout(arguments);
    let lines: Vec<Value> = first.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    for (line, noise) in lines.iter().zip([0.0, 0.3]) {
        let keys: Vec<_> = line.as_object().unwrap().keys().collect();
        let promised = [
            "data",
            "difference",
            "kind",
            "label_noise",
            "model",
            "sam",
            "sam_over_sgd_time",
            "sam_over_sgd_time_range",
            "seeds",
            "sgd",
        ];
        assert_eq!(keys, promised);
        assert_eq!((&line["kind"], &line["data"]), (&"compare".into(), &"digits".into()));
        assert_eq!((&line["model"], &line["seeds"]), (&"mlp-128-64".into(), &3.into()));
        assert_eq!(line["label_noise"], noise);
        for arm in ["sgd", "sam"] {
            for field in ["error_mean", "error_ci95", "ms_per_step"] {
                assert!(line[arm][field].as_f64().unwrap() > 0.0, "{arm} {field}");
            }
            // The whole test set of the digits has 600 images.
            let [low, high] = [0, 1].map(|end| line[arm]["test_set_interval"][end].as_f64().unwrap());
            let mean = line[arm]["error_mean"].as_f64().unwrap();
            assert!(low < mean && mean < high && high - low < 9.0, "{low} {mean} {high}");
            assert_eq!(line[arm]["never_left_start"], 0);
        }
        assert!(line["difference"]["mean"].is_f64() && line["difference"]["ci95"].is_f64());
        assert_eq!(
            (&line["difference"]["verdict"], &line["difference"]["pairs"]),
            (&"too-few".into(), &3.into())
        );
    }
    assert_eq!(place.files("c"), ["compare.png", "compare.svg", "result.json", "runs.jsonl", "table.md"]);

    // The line agrees with what the file of runs says, by another computation.
    let runs: Vec<Value> = fs::read_to_string(place.path("c/runs.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(runs.len(), 2 * 3 * 3);
    let errors = |method: &str, epochs: u64| -> Vec<f64> {
        let mut chosen: Vec<_> = runs
            .iter()
            .filter(|run| run["settings"]["data"]["label-noise"] == 0.3)
            .filter(|run| run["settings"]["method"]["name"] == method && run["settings"]["epochs"] == epochs)
            .map(|run| (run["settings"]["seed"].as_u64().unwrap(), run["test_error"].as_f64().unwrap()))
            .collect();
        chosen.sort_by_key(|run| run.0);
        chosen.into_iter().map(|run| run.1).collect()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let sgd =
        [errors("sgd", 6), errors("sgd", 12)].into_iter().min_by(|a, b| mean(a).total_cmp(&mean(b))).unwrap();
    let sam = errors("sam", 6);
    let close = |value: &Value, expected: f64| (value.as_f64().unwrap() - expected).abs() < 1e-9;
    assert!(close(&lines[1]["sgd"]["error_mean"], mean(&sgd)));
    assert!(close(&lines[1]["sam"]["error_mean"], mean(&sam)));
    let differences: Vec<f64> = sam.iter().zip(&sgd).map(|(a, b)| a - b).collect();
    let m = mean(&differences);
    assert!(close(&lines[1]["difference"]["mean"], m));
    let deviation = (differences.iter().map(|d| (d - m).powi(2)).sum::<f64>() / 2.0).sqrt();
    // Student's t with 2 degrees of freedom.
    assert!(close(&lines[1]["difference"]["ci95"], 4.302_652_729_696_142 * deviation / 3_f64.sqrt()));

    assert_eq!(place.stdout(arguments), first, "the second time nothing is trained, times included");
    // With one run forgotten and half a line, as a crash leaves it, only that run is made again.
    let text = fs::read_to_string(place.path("c/runs.jsonl")).unwrap();
    let kept = text.lines().count() - 1;
    let cut = text.rfind("\"key\"").unwrap() + 20;
    fs::write(place.path("c/runs.jsonl"), &text[..cut]).unwrap();
    let output = place.run(arguments);
    assert!(
        String::from_utf8(output.stderr).unwrap().starts_with(&format!("{kept} of 18 runs are taken from"))
    );
    assert_eq!(fs::read_to_string(place.path("c/runs.jsonl")).unwrap().lines().count(), 18);
}

/// Each network with each augmentation, in one table; a single one of them later finds its runs there.
#[test]
fn compare_takes_several_networks_and_augmentations() {
    let place = Place::new();
    let rest = "--epochs 1 --seeds 2 --limit 128 --label-noise 0 --out several";
    let both = "compare --model mlp-8,mlp-12 --augment none,basic";
    let stdout = place.stdout(&format!("{both} {rest} --json"));
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let subjects: Vec<_> =
        lines.iter().map(|l| [&l["model"], &l["augment"]].map(|v| v.as_str().unwrap())).collect();
    assert_eq!(subjects, [["mlp-8", "none"], ["mlp-8", "basic"], ["mlp-12", "none"], ["mlp-12", "basic"]]);
    let errors: Vec<String> = lines.iter().map(|line| line["sam"]["error_mean"].to_string()).collect();
    assert!(errors.windows(2).all(|pair| pair[0] != pair[1]), "each has runs of its own: {errors:?}");

    let table = place.stdout(&format!("{both} {rest}"));
    assert!(table.contains("network, augmentation"), "{table}");
    for subject in ["mlp-8, none", "mlp-12, basic: with clean labels"] {
        assert!(table.contains(subject), "{subject}: {table}");
    }

    let runs = || fs::read_to_string(place.path("several/runs.jsonl")).unwrap();
    let before = runs();
    let single = place.stdout(&format!("compare --model mlp-12 --augment basic {rest} --json"));
    assert_eq!(runs(), before, "no run is repeated");
    let single: Value = serde_json::from_str(single.trim()).unwrap();
    assert_eq!(single["sam"], lines[3]["sam"]);
    assert!(single.get("augment").is_none());
}

#[test]
fn compare_without_json_prints_a_table_with_both_lengths_of_sgd_and_a_sentence() {
    let place = Place::new();
    let table = place.stdout("compare --epochs 1 --seeds 1 --limit 200 --label-noise 0.4");
    for text in [
        "SGD, 1 epoch ",
        "SGD, 2 epochs",
        "SAM, 1 epoch ",
        "SAM \u{2212} SGD",
        "% wrong",
        "over 1 seed: too few",
        ".svg",
    ] {
        assert!(table.contains(text), "no {text} in:\n{table}");
    }
    let svg = fs::read_to_string(place.path("runs/compare-digits-mlp-128-64/compare.svg")).unwrap();
    for text in ["<svg", "</svg>", "test error (%)", "40\u{a0}% random labels", "SAM, 1 epoch"] {
        assert!(svg.contains(text), "no {text}");
    }
}

#[test]
fn bench_prints_the_promised_json() {
    let line =
        Place::new().json("bench --model mlp-64 --batch 64 --image 8x8x1 --threads 1 --seconds 0.2 --json");
    let number = |field: &str| line[field].as_f64().unwrap();
    assert_eq!(
        (&line["kind"], &line["model"], &line["batch"]),
        (&"bench".into(), &"mlp-64".into(), &64.into())
    );
    assert_eq!((number("threads"), number("params")), (1.0, (64 * 64 + 64 + 64 * 10 + 10) as f64));
    for method in ["sgd", "sam"] {
        let images = number(&format!("{method}_ms")) * number(&format!("{method}_images_per_s"));
        assert!((images - 64e3).abs() < 1e-6, "{images}");
    }
    assert!(number("sam_over_sgd") > 0.0);
    assert!(number("steps") >= 9.0);
    let quartile = |i: usize| line["quartiles"][i].as_f64().unwrap();
    assert!(quartile(0) <= quartile(1) && quartile(1) <= quartile(2));
    assert!(line["disturbed"].is_boolean());
    assert!((0.0..1.0).contains(&number("outside_gradients")));
}

const RUN: &str =
    "train --model resnet-8 --epochs 4 --batch 32 --augment basic --label-noise 0.2 --limit 640";

#[test]
fn a_finished_run_leaves_its_files_and_prints_its_last_line_again() {
    let place = Place::new();
    let result = place.json(&format!("{RUN} --epochs 2 --out r --json").replace("--epochs 4 ", ""));
    assert_eq!((&result["kind"], &result["optimizer"]), (&"train".into(), &"sam".into()));
    assert!((0.0..=100.0).contains(&result["test_error"].as_f64().unwrap()));
    assert_eq!(result["weights_sha256"].as_str().unwrap().len(), 64);
    let files =
        ["checkpoint.safetensors", "config.toml", "curves.png", "curves.svg", "metrics.jsonl", "result.json"];
    assert_eq!(place.files("r"), files);
    let before: Vec<_> = files.map(|file| fs::read(place.path("r").join(file)).unwrap()).into();
    assert_eq!(place.json("train --resume r --json"), result);
    let after: Vec<_> = files.map(|file| fs::read(place.path("r").join(file)).unwrap()).into();
    assert!(before == after, "a finished run is left as it is");
    let of = |field: &str| result[field].as_u64().unwrap();
    // Three vectors of weights at least, and a process no larger than any machine's memory.
    assert!(of("estimated_memory_bytes") > 3 * 4 * of("params"));
    assert!((of("estimated_memory_bytes")..1 << 36).contains(&of("peak_memory_bytes")), "{result}");
    let text = place.stdout("train --resume r");
    assert!(text.contains(", peak memory ") && text.contains(" MiB expected), weights"), "{text}");
    // Without its result the run is finished from its checkpoint, by a process of its own.
    fs::remove_file(place.path("r/result.json")).unwrap();
    let mut again = place.json("train --resume r --json");
    assert!(again["peak_memory_bytes"].as_u64().unwrap() > 0);
    again["peak_memory_bytes"] = result["peak_memory_bytes"].clone();
    assert_eq!(again, result);
    let metrics = fs::read_to_string(place.path("r/metrics.jsonl")).unwrap();
    let last: Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    assert_eq!((&last["epoch"], &last["test_error"]), (&2.into(), &result["test_error"]));
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

#[cfg(unix)]
#[test]
fn a_run_that_is_interrupted_or_killed_resumes_to_the_same_weights() {
    let place = Place::new();
    let whole = place.json(&format!("{RUN} --threads 2 --out whole --json"));

    // Killed before there is a checkpoint: config.toml is enough.
    let mut child = start(&place, &format!("{RUN} --threads 1 --out stopped"));
    while !place.path("stopped/config.toml").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended early");
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();

    // Interrupted in mid-epoch.
    let child = start(&place, "train --resume stopped");
    wait_for_epochs(&place.path("stopped"), 1);
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.ends_with("go on with: sam train --resume stopped\n"), "{stderr}");

    // Killed after some more epochs.
    let mut child = start(&place, "train --resume stopped --threads 1");
    wait_for_epochs(&place.path("stopped"), 3);
    child.kill().unwrap();
    child.wait().unwrap();

    let resumed = place.json("train --resume stopped --json");
    for field in ["weights_sha256", "test_error", "train_loss", "wrong_labels"] {
        assert_eq!(resumed[field], whole[field], "{field}");
    }
    let epochs = |run: &str| -> Vec<(Value, Value)> {
        let text = fs::read_to_string(place.path(run).join("metrics.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| (line["epoch"].clone(), line["train_loss"].clone())).collect()
    };
    assert_eq!(epochs("stopped"), epochs("whole"));
}

#[cfg(unix)]
#[test]
fn an_interrupted_comparison_goes_on_where_it_stopped() {
    let place = Place::new();
    let arguments = "compare --model resnet-8 --epochs 3 --limit 320 --seeds 2 --label-noise 0.4 --threads 2";
    let whole = place.stdout(&format!("{arguments} --out whole --json"));
    let child = start(&place, &format!("{arguments} --out stopped"));
    let started = Instant::now();
    while fs::read_to_string(place.path("stopped/runs.jsonl")).map_or(0, |text| text.lines().count()) < 1 {
        assert!(started.elapsed() < Duration::from_secs(60), "no run in a minute");
        thread::sleep(Duration::from_millis(2));
    }
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    assert!(!place.files("stopped/unfinished").is_empty(), "runs under way are kept");
    let resumed = place.stdout(&format!("{arguments} --out stopped --json"));
    let errors = |line: &str| -> Vec<Value> {
        let line: Value = serde_json::from_str(line).unwrap();
        [&line["sgd"]["error_mean"], &line["sam"]["error_mean"], &line["difference"]].map(Clone::clone).into()
    };
    assert_eq!(errors(&resumed), errors(&whole));
    assert_eq!(
        place.files("stopped"),
        ["compare.png", "compare.svg", "result.json", "runs.jsonl", "table.md"]
    );
}

#[test]
fn a_damaged_checkpoint_is_named_and_left_alone() {
    let place = Place::new();
    place.stdout("train --model mlp-8 --epochs 1 --out r");
    fs::remove_file(place.path("r/result.json")).unwrap();
    let checkpoint = place.path("r/checkpoint.safetensors");
    let mut content = fs::read(&checkpoint).unwrap();
    *content.last_mut().unwrap() ^= 1;
    fs::write(&checkpoint, &content).unwrap();
    let output = place.run("train --resume r");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    for word in ["r/checkpoint.safetensors", "sha256", "expected", "found", "delete it"] {
        assert!(stderr.contains(word), "no {word} in {stderr}");
    }
    assert_eq!(stderr.lines().count(), 1);
    assert_eq!(fs::read(&checkpoint).unwrap(), content);
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
fn tune_looks_at_held_out_images_keeps_its_runs_and_names_what_is_lowest() {
    let place = Place::new();
    let arguments = "tune --model mlp-8 --limit 300 --epochs 4 --batch 30 --seeds 2 --rho 0,0.05,0.1,0.2 --lr 0.05 --rungs 2 --out t";
    let lines: Vec<Value> = place
        .stdout(&format!("{arguments} --json"))
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    let rungs = |line: &Value| line["validation_errors"].as_array().unwrap().len();
    // Two of four go on, and SGD.
    let finalists = lines.iter().filter(|line| rungs(line) == 2).count();
    assert!((2..=3).contains(&finalists) && rungs(&lines[0]) == 2, "{lines:?}");
    let chosen: Vec<_> = lines.iter().filter(|line| line["chosen"] == true).collect();
    assert!(chosen.len() == 1 && rungs(chosen[0]) == 2, "{lines:?}");
    let stored = fs::read_to_string(place.path("t/runs.jsonl")).unwrap();
    let first: Value = serde_json::from_str(stored.lines().next().unwrap()).unwrap();
    assert_eq!(first["settings"]["data"]["validation"], 0.2);
    assert!(stored.lines().all(|line| !line.contains("\"epochs\":1,")), "{stored}");
    let said = place.stdout(arguments);
    assert!(
        said.contains("Lowest mean validation error: ") && said.contains(" on 60 held-out images"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(place.path("t/runs.jsonl")).unwrap(), stored, "nothing is made twice");
}

#[test]
fn a_run_is_started_from_the_file_of_another_and_what_is_given_takes_its_place() {
    let place = Place::new();
    place.stdout("train --model mlp-8 --limit 100 --epochs 2 --batch 20 --optimizer gsam --alpha 0.2 --lr 0.04 --out a");
    let again = place.json("train --config a/config.toml --out b --json");
    let first: Value = serde_json::from_slice(&fs::read(place.path("a/result.json")).unwrap()).unwrap();
    assert_eq!(again["weights_sha256"], first["weights_sha256"]);
    place.stdout("train --config a/config.toml --alpha 0.4 --epochs 1 --base adamw --augment crop --out c");
    let config = fs::read_to_string(place.path("c/config.toml")).unwrap();
    let expected = [
        "alpha = 0.4",
        "epochs = 1\n",
        "limit = 100",
        "name = \"gsam\"",
        "name = \"adamw\"",
        "lr = 0.001",
        "augment = \"crop\"",
    ];
    for part in expected {
        assert!(config.contains(part), "{part}: {config}");
    }
    let refused = place.run("train --config a/config.toml --optimizer sgd --rho 0.1 --out d");
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn a_resumed_run_takes_more_epochs_and_refuses_any_other_setting_by_its_name() {
    let place = Place::new();
    place.stdout(
        "train --model mlp-8 --limit 100 --epochs 2 --batch 20 --rho 0.1 --schedule constant --out a",
    );
    // What the run has anyway may be said.
    place.stdout("train --resume a --epochs 2 --rho 0.1 --limit 100");
    for (arguments, words) in [
        ("--rho 0.2", ["--rho", "found 0.2"]),
        ("--optimizer sgd", ["--optimizer", "found sgd"]),
        ("--seed 3", ["--seed", "--config"]),
        ("--epochs 1", ["--epochs", "expected 2 or more"]),
        ("--base lion", ["--base", "found lion"]),
        ("--warmup-epochs 1", ["--warmup-epochs", "found 1"]),
    ] {
        let output = place.run(&format!("train --resume a {arguments}"));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {stderr}");
        assert!(words.iter().all(|word| stderr.contains(word)), "{arguments}: {stderr}");
    }
    let longer = place.json("train --resume a --epochs 5 --json");
    assert_eq!(longer["epochs"], 5);
    // With a rate that does not depend on the length it is the run of five epochs from its start.
    let whole = place.json(
        "train --model mlp-8 --limit 100 --epochs 5 --batch 20 --rho 0.1 --schedule constant --out b --json",
    );
    assert_eq!(longer["weights_sha256"], whole["weights_sha256"]);
    assert_eq!(fs::read_to_string(place.path("a/metrics.jsonl")).unwrap().lines().count(), 5);
    assert!(fs::read_to_string(place.path("a/config.toml")).unwrap().contains("epochs = 5\n"));
}

#[test]
fn epochs_are_told_with_their_figures_and_as_csv_and_events_and_side_by_side() {
    let place = Place::new();
    let run = "train --model mlp-8 --limit 100 --epochs 3 --batch 20";
    place.stdout(&format!("{run} --rho 0.1 --tensorboard --out a"));
    place.stdout(&format!("{run} --optimizer sgd --out b"));
    let metrics = |name: &str| -> Vec<Value> {
        let text = fs::read_to_string(place.path(name).join("metrics.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    for line in metrics("a") {
        for figure in ["train_error", "gradient_norm", "sharpness", "seconds"] {
            assert!(line[figure].as_f64().unwrap() > 0.0, "{figure}: {line}");
        }
    }
    assert!(
        metrics("b")
            .iter()
            .all(|line| line.get("sharpness").is_none() && line["gradient_norm"].as_f64().unwrap() > 0.0)
    );
    place.stdout("export a --out a.csv");
    let csv = fs::read_to_string(place.path("a.csv")).unwrap();
    assert!(csv.starts_with("epoch,train_loss,train_error,") && csv.lines().count() == 4, "{csv}");
    place.stdout("export a --out events --format tensorboard");
    let events = fs::read(place.path("events")).unwrap();
    let written = place.files("a").into_iter().find(|name| name.starts_with("events.out.tfevents.")).unwrap();
    // The same records but for their times.
    assert_eq!(fs::read(place.path("a").join(written)).unwrap().len(), events.len());
    let said = place.stdout("diff a b");
    for part in ["method.name", "method.rho", "0.1", "none", "test error (%)", "sharpness"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let line = place.json("diff a b --json");
    assert!(
        line["settings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|entry| entry["setting"].as_str().unwrap().starts_with("method."))
    );
    assert!(place.stdout("diff a a").contains("The settings are equal."));
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
    assert!(place.stdout("info").contains("digits       found"));
}

#[test]
fn a_network_of_one_s_own_is_shown_trained_resumed_and_exported_and_a_wrong_one_named_with_its_line() {
    let place = Place::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/net.toml");
    let text = fs::read_to_string(&file).unwrap();
    let page = fs::read_to_string(file.with_file_name("own-networks.md")).unwrap();
    assert!(page.contains(&text), "the page shows the file");
    fs::write(place.path("net.toml"), &text).unwrap();
    let shown = place.stdout("models net.toml");
    assert!(shown.starts_with("net on 8x8x1, 10 classes: ") && shown.contains("norm2"), "{shown}");
    let model = place.json("models net.toml --json");
    let run = "train --model net.toml --limit 100 --batch 20";
    let first = place.json(&format!("{run} --epochs 1 --out a --json"));
    assert_eq!((&first["model"], &first["params"]), (&"net".into(), &model["parameters"]));
    // The run needs its file no more.
    fs::remove_file(place.path("net.toml")).unwrap();
    place.stdout("train --resume a --epochs 2");
    place.stdout("evaluate a");
    place.stdout("export a --out a.onnx");
    place.stdout("export a --out a.safetensors");
    fs::write(place.path("net.toml"), text.replace("channels = 16, kernel", "channels = 8, kernel")).unwrap();
    let output = place.run(&format!("{run} --epochs 1 --out b"));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && stderr.contains("line ") && stderr.contains("Add takes"), "{stderr}");
    fs::write(place.path("net.toml"), text.replace("\"mean\"", "\"middle\"")).unwrap();
    let output = place.run("models net.toml");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("net.toml, line 23: op: expected one of conv"), "{stderr}");
}
