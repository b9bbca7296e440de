//! `sam train`: its files, its end, and how it goes on.

use super::*;

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
