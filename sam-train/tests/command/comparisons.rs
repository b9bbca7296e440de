//! `sam compare`, `tune` and `bench`: what they print, and what they keep.

use super::*;

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
fn tune_looks_at_held_out_images_keeps_its_runs_and_names_what_is_lowest() {
    let place = Place::new();
    let arguments = "tune --model mlp-8 --limit 300 --epochs 4 --batch 32 --seeds 2 --rho 0,0.05,0.1,0.2 --lr 0.05 --rungs 2 --out t";
    let output = place.run(&format!("{arguments} --json"));
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // Each rung leaves out as much, which is said of the first.
    let notes = String::from_utf8(output.stderr).unwrap();
    assert_eq!(notes.matches("each epoch leaves out 16 of 240 ").count(), 1, "{notes}");
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
fn procedures_are_called_after_their_base_and_keys_for_programs_stay() {
    let place = Place::new();
    let arguments = "compare --model mlp-8 --base adamw --lr 0.01 --epochs 6 --seeds 1 --limit 300 --batch 30 --label-noise 0 --out c";
    let table = place.stdout(arguments);
    for words in ["AdamW, 6 epochs", "AdamW, 12 epochs", "SAM with AdamW, 6 epochs", "SAM \u{2212} AdamW, "] {
        assert!(table.contains(words), "{words}: {table}");
    }
    assert!(!table.contains("SGD"), "{table}");
    let picture = fs::read_to_string(place.path("c/compare.svg")).unwrap();
    assert!(
        picture.contains("AdamW and SAM with AdamW: mlp-8 on digits") && !picture.contains("SGD"),
        "{picture}"
    );
    let line = place.json(&format!("{arguments} --json"));
    assert!(line["sgd"]["error_mean"].is_f64() && line["sam"]["error_mean"].is_f64(), "{line}");
    let noise = place.stdout(
        "noise --model mlp-8 --base adam --epochs 1 --seeds 1 --limit 100 --batch 50 --rates 0.4 --out n",
    );
    assert!(
        noise.contains("SAM with Adam") && noise.contains("mixup, alpha ") && !noise.contains("SGD"),
        "{noise}"
    );
}

#[test]
fn how_weights_start_can_be_said_where_several_runs_are_made_too() {
    let place = Place::new();
    for (command, init) in [
        ("compare --label-noise 0", "init"),
        ("grid --rho 0.1", "init"),
        ("finetune --tune-epochs 1", "scratch-init"),
    ] {
        let out = command.split(' ').next().unwrap();
        place.stdout(&format!(
            "{command} --model mlp-8 --epochs 1 --seeds 1 --limit 128 --sgd-epochs 0 --{init} lecun --out {out}"
        ));
        let runs = fs::read_to_string(place.path(out).join("runs.jsonl")).unwrap();
        for line in runs.lines() {
            let run: Value = serde_json::from_str(line).unwrap();
            assert_eq!(run["settings"]["init"], "lecun", "{command}: {line}");
        }
        assert!(!runs.is_empty(), "{command}");
    }
}
