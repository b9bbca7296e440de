//! Every experiment as a user meets it: files, JSON, resumption, the report.

use super::support::BASE;
use std::{collections::HashSet, fs, path::Path, process::Command};

use sam_train::{
    analysis::model::Model,
    data::{DataSource, Dataset},
    experiment::{
        ExperimentError,
        runner::{ExperimentDirectory, Job, LoadedData, Runner},
    },
    interrupt::Interrupt,
    observer::Host,
    training::{
        cpu::CpuLearner,
        learner::{Learner, LearnerError},
        settings::{DataSettings, Method, Settings},
        state::{STATISTICS, State, WEIGHTS},
        trainer::Trainer,
    },
};
use serde_json::Value;

/// Runs `sam` in `place`; it must succeed.
fn sam(place: &Path, arguments: &str) -> (String, String) {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sam"));
    command.args(arguments.split_whitespace()).current_dir(place).env_remove("SAM_DATA");
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments}: {stderr}");
    (String::from_utf8(output.stdout).unwrap(), stderr)
}

/// The experiments, small, with the lines of JSON that each must give and its picture, if any.
const EXPERIMENTS: [(&str, usize, Option<&str>); 12] = [
    ("grid --rho 0.05,0.2", 3, Some("grid.svg")),
    ("noise --rates 0.4 --alpha 1,8", 8, Some("noise.svg")),
    ("ablate m --m 4,32 --rhos 0.1", 2, Some("m.svg")),
    ("ablate norm", 5, Some("norm.svg")),
    ("ablate inner-steps --steps 1,3", 2, Some("inner-steps.svg")),
    ("ablate rho-default --rhos 0.1,0.2", 3, Some("rho-default.svg")),
    ("ablate second-order", 3, Some("second-order.svg")),
    ("ablate variants", 9, Some("variants.svg")),
    ("spectrum --looks 2 --steps 6 --images 64", 4, Some("spectrum.svg")),
    ("landscape --points 5 --images 64", 2, Some("landscape.svg")),
    ("bound --rhos 0.1,1 --steps 3", 4, None),
    ("finetune --images 160 --tune-epochs 4 --tune-lr 0.1 --rhos 0.02,0.05", 5, Some("finetune.svg")),
];

#[test]
fn every_experiment_leaves_its_files_and_repeats_no_run() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let small = "--model mlp-16 --epochs 2 --seeds 2 --limit 320 --batch 32 --threads 2 --json";
    for (i, (experiment, lines, picture)) in EXPERIMENTS.into_iter().enumerate() {
        let arguments = format!("{experiment} {small} --out e{i}");
        let (first, _) = sam(place, &arguments);
        assert_eq!(first.lines().count(), lines, "{experiment}: {first}");
        let parsed: Vec<Value> = first.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let directory = place.join(format!("e{i}"));
        let text = fs::read_to_string(directory.join("result.json")).unwrap();
        let result: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(result["results"].as_array().unwrap(), &parsed, "{experiment}");
        assert!(result["command"].as_str().unwrap().starts_with("sam "), "{experiment}");
        assert!(!result["sentences"].as_array().unwrap().is_empty(), "{experiment}");
        let table = fs::read_to_string(directory.join("table.md")).unwrap();
        assert!(table.contains("|---") || table.contains("|:--"), "{experiment}: {table}");
        if let Some(picture) = picture {
            let svg = fs::read_to_string(directory.join(picture)).unwrap();
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{experiment}");
            assert!(!svg.contains("NaN"), "{experiment}");
            let png = fs::read(directory.join(picture).with_extension("png")).unwrap();
            assert!(
                png.starts_with(b"\x89PNG\r\n\x1a\n") && png.ends_with(b"IEND\xaeB`\x82"),
                "{experiment}"
            );
        }
        let (second, stderr) = sam(place, &arguments);
        assert_eq!(first, second, "{experiment}");
        assert!(!stderr.contains("test error"), "{experiment} repeats a run: {stderr}");
    }
    let all: Vec<String> = (0..EXPERIMENTS.len()).map(|i| format!("e{i}")).collect();
    sam(place, &format!("report {} --out page.html", all.join(" ")));
    let page = fs::read_to_string(place.join("page.html")).unwrap();
    assert_eq!(page.matches("<section").count(), EXPERIMENTS.len());
    assert_needs_nothing_else(&page);
    assert!(page.matches("src=").count() >= EXPERIMENTS.len() - 1);
}

/// Of a network without normalisation they have the weights of frozen ones.
#[test]
fn fine_tuning_with_free_statistics_is_another_run_where_a_network_normalises() {
    let place = tempfile::tempdir().unwrap();
    // One run on the first classes, and of SGD and SAM one each that is fine-tuned, afresh, and fine-tuned with free statistics.
    for (model, distinct) in [("mlp-16", 5), ("resnet-8", 7)] {
        let small = format!(
            "--model {model} --epochs 1 --seeds 1 --limit 128 --batch 32 --sgd-epochs 0 --out {model}"
        );
        let (output, _) = sam(
            place.path(),
            &format!("finetune --free-statistics --images 64 --tune-epochs 1 {small} --json"),
        );
        assert_eq!(output.matches("fine-tuned, free statistics").count(), 2, "{output}");
        let runs = fs::read_to_string(place.path().join(model).join("runs.jsonl")).unwrap();
        let weights: HashSet<String> = runs
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["weights_sha256"].to_string())
            .collect();
        assert_eq!((runs.lines().count(), weights.len()), (7, distinct), "{model}");
    }
}

/// Nine images have no tenth, and a network that names one class has no error to be chosen by.
#[test]
fn no_radius_is_chosen_where_no_validation_run_has_learnt() {
    let place = tempfile::tempdir().unwrap();
    let small = "--model mlp-16 --epochs 1 --seeds 1 --limit 9 --batch 4";
    for experiment in ["grid", "ablate rho-default"] {
        let (output, _) = sam(place.path(), &format!("{experiment} {small}"));
        assert!(output.contains("No radius is chosen"), "{output}");
        assert!(!output.contains("Lowest mean validation error"), "{output}");
    }
    let finetune = "finetune --images 9 --tune-epochs 1 --rhos 0.1 --limit 320 --model mlp-16 --epochs 1 --seeds 1 --batch 4";
    let (output, _) = sam(place.path(), finetune);
    assert!(output.contains("No radius is chosen") && !output.contains("chosen rho"), "{output}");
}

fn assert_needs_nothing_else(page: &str) {
    assert!(page.contains("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"));
    for outside in ["url(", "@import", "<script", "<link", "<svg", "<iframe", "onload=", "onerror="] {
        assert!(!page.contains(outside), "the page needs nothing else, but has {outside}");
    }
    let sources = page.split("src=").skip(1);
    assert!(sources.into_iter().all(|source| source.starts_with("\"data:image/svg+xml;base64,")));
}

/// As `runs/*` of somebody who has tried several things.
#[test]
fn a_report_takes_training_runs_and_lists_what_has_no_result() {
    let place = tempfile::tempdir().unwrap();
    let at = place.path();
    let small = "--model mlp-4 --limit 64 --batch 32";
    sam(at, &format!("compare {small} --epochs 1 --seeds 1 --label-noise 0 --out runs/a"));
    sam(at, &format!("train {small} --epochs 2 --out runs/b"));
    fs::create_dir_all(at.join("runs/c")).unwrap();
    fs::write(at.join("runs/c/config.toml"), "").unwrap();
    fs::create_dir_all(at.join("runs/d")).unwrap();
    fs::write(at.join("runs/d/runs.jsonl"), "").unwrap();
    fs::create_dir_all(at.join("runs/e")).unwrap();
    fs::write(at.join("runs/f"), "").unwrap();
    sam(at, "report runs/a runs/b runs/c runs/d runs/e runs/f --out page.html");
    let page = fs::read_to_string(at.join("page.html")).unwrap();
    assert_needs_nothing_else(&page);
    assert_eq!(page.matches("<section").count(), 2);
    assert!(page.contains("sam train: mlp-4 on digits, SAM"), "{page}");
    for (directory, why) in [
        ("c", "a training run that is not finished"),
        ("d", "an experiment that is not finished"),
        ("e", "neither a training run nor an experiment"),
        ("f", "not a directory"),
    ] {
        assert!(page.contains(&format!("<li>runs/{directory}: {why}</li>")), "{page}");
    }
}

#[test]
fn a_result_that_somebody_else_has_made_runs_nothing_in_the_page() {
    let place = tempfile::tempdir().unwrap();
    let at = place.path();
    sam(at, "compare --model mlp-4 --limit 64 --epochs 1 --seeds 1 --label-noise 0 --out evil");
    let evil = "\"><img src=x onerror=alert(1)><script>alert(2)</script>";
    let path = at.join("evil/result.json");
    let mut result: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for name in ["kind", "paper", "version", "command"] {
        result[name] = evil.into();
    }
    for name in ["sentences", "pictures"] {
        result[name] = serde_json::json!([evil]);
    }
    result["machine"]["processor"] = evil.into();
    result["tables"][0]["title"] = evil.into();
    result["pictures"] = serde_json::json!(["compare.svg"]);
    fs::write(&path, result.to_string()).unwrap();
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(3)\"><script>alert(4)</script></svg></figure>\
               <script>alert(5)</script><img src=https://example.com/beacon>";
    fs::write(at.join("evil/compare.svg"), svg).unwrap();
    sam(at, "report evil --out page.html");
    let page = fs::read_to_string(at.join("page.html")).unwrap();
    let text =
        page.replace("&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&lt;script&gt;alert(2)&lt;/script&gt;", "");
    assert_ne!(text, page);
    assert_needs_nothing_else(&text);
}

#[test]
fn predict_gap_measures_all_combinations() {
    let place = tempfile::tempdir().unwrap();
    let arguments = "predict-gap --model mlp-16 --epochs 2 --seeds 2 --limit 320 --m 1,16 --images 32 --rates 1,2 \
                     --batches 16,64 --decays 0,0.01 --json --out p";
    let (stdout, _) = sam(place.path(), arguments);
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        assert_eq!(line["gaps"].as_array().unwrap().len(), 16);
        assert!((-1.0..=1.0).contains(&line["kendall_tau"].as_f64().unwrap()));
        assert!(line["sharpness"].as_array().unwrap().iter().all(|s| s.as_f64().unwrap() >= 0.0));
    }
    // A sum of losses cannot rise more than the losses do one by one.
    let mean = |i: usize| -> f64 {
        let values = lines[i]["sharpness"].as_array().unwrap();
        values.iter().map(|value| value.as_f64().unwrap()).sum()
    };
    assert!(mean(0) > mean(1), "m-sharpness falls with m: {} {}", mean(0), mean(1));
}

fn settings(method: Method) -> Settings {
    Settings {
        seed: 1,
        epochs: 2,
        batch: 32.into(),
        model: "mlp-16".parse().unwrap(),
        data: DataSettings { limit: Some(320), ..BASE.data },
        method,
        ..BASE
    }
}

fn learner(settings: &Settings, dataset: &Dataset) -> Result<Box<dyn Learner>, LearnerError> {
    Ok(Box::new(CpuLearner::new(settings, dataset.shape, dataset.classes, 1)?))
}

/// An experiment trains in waves. What is interrupted in the second must be kept as well as in the first.
#[test]
fn a_later_wave_of_runs_is_interrupted_and_resumed_like_the_first() {
    let place = tempfile::tempdir().unwrap();
    let data = LoadedData::new(DataSource::Digits.load(None, Some(320)).unwrap()).unwrap();
    let directory = ExperimentDirectory(place.path().join("waves"));
    let first = [Job::new(settings(Method::Sgd), &data)];
    let second = [Job::new(settings(Method::sam(0.1)), &data).with_snapshots(vec![0, 1, 2])];
    let interrupt = Interrupt::default();
    let mut runner = Runner::open(directory.clone(), 1, 1, Host::quiet(&interrupt), &learner).unwrap();
    runner.runs("first", &first).unwrap();
    interrupt.request();
    let stopped = runner.runs("second", &second);
    assert!(matches!(stopped, Err(ExperimentError::Interrupted { .. })), "{stopped:?}");
    let kept = fs::read_dir(place.path().join("waves/unfinished")).unwrap();
    let is_checkpoint =
        |entry: &fs::DirEntry| entry.path().extension().is_some_and(|kind| kind == "safetensors");
    assert_eq!(kept.map(Result::unwrap).filter(is_checkpoint).count(), 1);
    drop(runner);

    let resume = Interrupt::default();
    let mut runner = Runner::open(directory, 1, 1, Host::quiet(&resume), &learner).unwrap();
    let resumed = runner.runs("second", &second).unwrap();
    let whole = ExperimentDirectory(place.path().join("whole"));
    let expected =
        Runner::open(whole, 1, 1, Host::quiet(&resume), &learner).unwrap().runs("second", &second).unwrap();
    assert_eq!(resumed[0].weights_sha256, expected[0].weights_sha256);
    for epoch in [0, 1, 2] {
        let state = runner.state(&second[0], epoch).unwrap();
        assert_eq!(state.weights_sha256() == resumed[0].weights_sha256, epoch == 2, "{epoch}");
    }
}

/// A run that starts from a state keeps its statistics of batch normalisation, and learns all the same.
#[test]
fn fine_tuning_freezes_the_statistics_of_batch_normalisation() {
    let place = tempfile::tempdir().unwrap();
    let data = LoadedData::new(DataSource::Digits.load(None, Some(320)).unwrap()).unwrap();
    let interrupt = Interrupt::default();
    let mut runner =
        Runner::open(ExperimentDirectory(place.path().to_owned()), 1, 1, Host::quiet(&interrupt), &learner)
            .unwrap();
    let settings = Settings { model: "resnet-8".parse().unwrap(), ..settings(Method::sam(0.05)) };
    let first = Job::new(settings, &data).with_snapshots(vec![1, 2]);
    runner.runs("first", std::slice::from_ref(&first)).unwrap();
    let start = runner.state(&first, 1).unwrap();
    let tuned = Job { start: Some(&start), ..first.clone() };
    runner.runs("tuned", std::slice::from_ref(&tuned)).unwrap();
    let values = |state: &State, group: &str| -> Vec<f32> {
        let tensors = state.tensors.iter().filter(|tensor| tensor.name.starts_with(group));
        tensors.flat_map(|tensor| tensor.values.clone()).collect()
    };
    let (free, frozen) = (runner.state(&first, 2).unwrap(), runner.state(&tuned, 2).unwrap());
    assert!(!values(&start, STATISTICS).is_empty());
    assert_eq!(values(&start, STATISTICS), values(&frozen, STATISTICS));
    assert_ne!(values(&start, STATISTICS), values(&free, STATISTICS));
    assert_ne!(values(&start, WEIGHTS), values(&frozen, WEIGHTS));
}

/// The bootstrap of `sam noise` by hand: train on noisy labels, predict, train again on what was predicted.
#[test]
fn bootstrapping_is_training_again_on_the_predicted_labels() {
    let place = tempfile::tempdir().unwrap();
    let arguments = "noise --rates 0.4 --alpha 1 --model mlp-16 --epochs 2 --seeds 1 --limit 320 --batch 32 \
                     --seed 1 --evaluate-every 1 --sgd-epochs 0 --out n";
    sam(place.path(), arguments);
    let runs = fs::read_to_string(place.path().join("n/runs.jsonl")).unwrap();

    let mut noisy = settings(Method::Sgd);
    noisy.data.label_noise = 0.4;
    let clean = settings(Method::Sgd);
    let mut dataset = DataSource::Digits.load(None, Some(320)).unwrap();
    let train = |settings: &Settings, dataset: &Dataset| {
        let network = learner(settings, dataset).unwrap();
        let mut trainer = Trainer::new(settings, dataset, "", network).unwrap();
        while !trainer.finished() {
            trainer.step().unwrap();
            if trainer.at_epoch_end() {
                trainer.end_epoch(false).unwrap();
            }
        }
        trainer.state().unwrap()
    };
    let first = train(&noisy, &dataset);
    assert!(runs.contains(&first.weights_sha256()), "the first training");
    let labels = dataset.train.labels.clone();
    let mut model = Model::<f32>::new(&noisy, &dataset, &dataset.train, labels.clone()).unwrap();
    let weights = model.weights(&first).unwrap();
    dataset.train.labels = model.predict(&weights, dataset.classes).unwrap();
    assert_ne!(dataset.train.labels, labels);
    assert!(runs.contains(&train(&clean, &dataset).weights_sha256()), "the second training");
}

/// Table 9: the radius of each noise rate is the one that bootstrapped SAM has the lowest error with on images with clean labels.
#[test]
fn noise_chooses_the_radius_of_each_rate_on_held_out_images() {
    let place = tempfile::tempdir().unwrap();
    let arguments = "noise --rates 0.2,0.4 --rhos 0,0.05,0.2 --alpha 1 --model mlp-16 --epochs 3 --seeds 2 --limit 320 --batch 32 \
                     --sgd-epochs 0 --json --out n";
    let (stdout, _) = sam(place.path(), arguments);
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for rate in [0.2, 0.4] {
        let of_rate = || lines.iter().filter(|line| line["rate"] == rate);
        let radii: Vec<&Value> = of_rate().filter(|line| line.get("rho").is_some()).collect();
        assert_eq!(
            radii.iter().map(|line| line["rho"].as_f64().unwrap()).collect::<Vec<_>>(),
            [0.0, 0.05, 0.2]
        );
        let error = |line: &Value| {
            let outcome = &line["bootstrapped_validation_error"];
            // 32 images are held out.
            assert!(outcome["errors"].as_array().unwrap().iter().all(|error| {
                let images = error.as_f64().unwrap() * 32.0 / 100.0;
                (images - images.round()).abs() < 1e-9
            }));
            (
                outcome["lost"].as_array().unwrap().len(),
                outcome["error"]["mean"].as_f64().unwrap_or(f64::INFINITY),
            )
        };
        let best = radii[1..].iter().min_by(|a, b| error(a).partial_cmp(&error(b)).unwrap()).unwrap();
        let chosen: Vec<&&Value> = radii.iter().filter(|line| line["chosen"] == true).collect();
        assert_eq!((chosen.len(), &chosen[0]["rho"]), (1, &best["rho"]));
        let name = format!("SAM, rho {}", best["rho"]);
        assert!(of_rate().any(|line| line["result"]["name"] == name.as_str()), "{name}");
    }
    let table = fs::read_to_string(place.path().join("n/table.md")).unwrap();
    assert!(
        table.starts_with("Validation error of bootstrapped SAM on images with clean labels (%)"),
        "{table}"
    );
}

/// Figure 1, left: what is in all comparisons, in one picture.
#[test]
fn a_report_of_several_comparisons_begins_with_what_sam_took_away_in_each() {
    let place = tempfile::tempdir().unwrap();
    let small = "--epochs 4 --seeds 1 --limit 320 --batch 32 --label-noise 0";
    sam(place.path(), &format!("compare --model mlp-16,mlp-24 {small} --out c"));
    sam(place.path(), "report c --out page.html");
    let page = fs::read_to_string(place.path().join("page.html")).unwrap();
    let title = "Error reduction by SAM (figure 1, left)";
    assert!(page.find(title).unwrap() < page.find("sam compare").unwrap());
    let svg = fs::read_to_string(place.path().join("reduction.svg")).unwrap();
    assert!(svg.contains("clean labels") && !svg.contains("noisy labels"), "{svg}");
    assert_needs_nothing_else(&page);
}
