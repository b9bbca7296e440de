//! A trained network in use: what the command says of it, and what it writes for other programs.

use std::{fs, path::Path, process::Command};

use image::{Rgb, RgbImage};
use safetensors::SafeTensors;
use serde_json::Value;
use tempfile::TempDir;

const HEIGHT: u32 = 5;
const WIDTH: u32 = 6;

/// A run of two epochs on pictures of two classes, in a directory that is removed at the end.
fn trained() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    for (class, tint) in [("blue", 2), ("red", 0)] {
        fs::create_dir_all(place.path().join("photos").join(class)).unwrap();
        for number in 0..15 {
            picture(number, tint).save(place.path().join(format!("photos/{class}/{number}.png"))).unwrap();
        }
    }
    sam(
        place.path(),
        "train --data photos --model mlp-16-8 --epochs 2 --batch 4 --lr 0.02 --threads 1 --out run",
    );
    place
}

/// No two pixels of it are alike in all channels.
fn picture(number: u32, tint: usize) -> RgbImage {
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let mut pixel = [0, 1, 2].map(|channel| ((number * 31 + x * 17 + y * 41 + channel * 67) % 199) as u8);
        pixel[tint] = pixel[tint].saturating_add(56);
        Rgb(pixel)
    })
}

fn sam(place: &Path, arguments: &str) -> String {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sam"));
    let output = command.args(arguments.split_whitespace()).current_dir(place).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(place: &Path, arguments: &str) -> Value {
    serde_json::from_str(&sam(place, arguments)).unwrap()
}

#[test]
fn an_evaluation_finds_the_error_that_training_ended_with_and_counts_every_image_once() {
    let place = trained();
    let place = place.path();
    let result: Value = serde_json::from_slice(&fs::read(place.join("run/result.json")).unwrap()).unwrap();
    let found = json(place, "evaluate run --json");
    let near = |name: &str, own: &str| {
        let (found, expected) = (found[name].as_f64().unwrap(), result[own].as_f64().unwrap());
        assert!((found - expected).abs() < 1e-5 * expected.abs().max(1.0), "{name}: {found}, {expected}");
    };
    near("error", "test_error");
    near("loss", "test_loss");
    assert_eq!(found["images"], 6);
    assert_eq!(found["classes"], serde_json::json!(["blue", "red"]));
    // The pictures of the run, named again, are all of its images.
    let whole = json(place, "evaluate run --data photos --json");
    let rows = whole["confusion"].as_array().unwrap();
    let of_row =
        |row: &Value| row.as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum::<u64>();
    assert_eq!(rows.iter().map(of_row).collect::<Vec<_>>(), [15, 15]);
}

#[test]
fn exported_weights_give_the_predicted_logits_when_read_as_pytorch_reads_them() {
    let place = trained();
    let place = place.path();
    sam(place, "export run --out out.safetensors");
    let bytes = fs::read(place.join("out.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (_, about) = SafeTensors::read_metadata(&bytes).unwrap();
    let lines: Vec<[f64; 2]> =
        serde_json::from_str(&about.metadata().as_ref().unwrap()["standardise"]).unwrap();
    let tensor = |name: &str| {
        let view = file.tensor(name).unwrap();
        let numbers =
            view.data().as_chunks::<4>().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes)));
        (view.shape().to_vec(), numbers.collect::<Vec<f64>>())
    };
    // y = x W^T + b, with W of shape [outputs, inputs].
    let linear = |values: &[f64], layer: &str| {
        let ((shape, weight), (_, bias)) =
            (tensor(&format!("{layer}.weight")), tensor(&format!("{layer}.bias")));
        assert_eq!(shape, [bias.len(), values.len()], "{layer}");
        let rows = weight.chunks_exact(values.len()).zip(bias);
        rows.map(|(row, bias)| bias + row.iter().zip(values).map(|(w, x)| w * x).sum::<f64>())
            .collect::<Vec<_>>()
    };
    for (class, number) in [("red", 3), ("blue", 7)] {
        let shown = picture(number, if class == "red" { 0 } else { 2 });
        // Channel by channel, as torch.flatten of NCHW.
        let mut values: Vec<f64> = (0..3)
            .flat_map(|channel| {
                let [slope, offset] = lines[channel];
                shown.pixels().map(move |pixel| f64::from(pixel[channel]) * slope + offset)
            })
            .collect();
        let mut hidden: Vec<&str> =
            file.names().into_iter().filter_map(|name| name.strip_suffix(".weight")).collect();
        hidden.sort_unstable();
        assert_eq!(hidden.pop(), Some("head"), "{hidden:?}");
        for layer in hidden {
            values = linear(&values, layer).into_iter().map(|value| value.max(0.0)).collect();
        }
        let expected = linear(&values, "head");
        let found = json(place, &format!("predict run photos/{class}/{number}.png --json"));
        let logits: Vec<f64> = serde_json::from_value(found["logits"].clone()).unwrap();
        let scale = expected.iter().fold(0.0_f64, |most, logit| most.max(logit.abs()));
        for (found, expected) in logits.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-5 * scale, "{logits:?}, {expected:?}");
        }
        let answer = if expected[0] >= expected[1] { "blue" } else { "red" };
        assert_eq!(found["class"], answer);
    }
}

#[test]
fn what_is_no_run_and_no_picture_and_no_class_of_the_run_is_refused_by_name() {
    let place = trained();
    let place = place.path();
    fs::write(place.join("notes.txt"), "no picture").unwrap();
    fs::create_dir_all(place.join("others/green")).unwrap();
    fs::create_dir_all(place.join("others/red")).unwrap();
    for number in 0..5 {
        for class in ["green", "red"] {
            picture(number, 1).save(place.join(format!("others/{class}/{number}.png"))).unwrap();
        }
    }
    let rows: Vec<String> = (0..20).map(|i| format!("{},{}", i * 50, ["low", "high"][i / 10])).collect();
    fs::write(place.join("table.csv"), rows.join("\n")).unwrap();
    sam(place, "train --data table.csv --model mlp-4 --epochs 1 --batch 4 --threads 1 --out table-run");
    for (arguments, said) in [
        ("evaluate table-run --data table.csv", "scaled by the smallest and the largest"),
        ("predict table-run photos/red/1.png", "expected a run on images"),
        ("evaluate nothing", "nothing: expected the directory of a run"),
        ("predict run notes.txt", "notes.txt: "),
        ("predict run missing.png", "missing.png: "),
        ("evaluate run --data others", "found the class green"),
        ("export run --out nowhere/out.onnx", "nowhere"),
    ] {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sam"));
        let output = command.args(arguments.split_whitespace()).current_dir(place).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments}: {errors}");
        assert!(errors.contains(said), "{arguments}: {errors}");
    }
}

#[test]
fn a_network_is_used_without_its_data_and_starts_another_from_its_checkpoint_or_its_export_to_the_same_bits()
{
    let place = trained();
    let place = place.path();
    let before = sam(place, "predict run photos/red/1.png");
    sam(place, "export run --out out.safetensors");
    fs::rename(place.join("photos"), place.join("moved")).unwrap();
    assert_eq!(before, sam(place, "predict run moved/red/1.png").replace("moved", "photos"));
    sam(place, "export run --out out.onnx");
    assert_eq!(json(place, "evaluate run --data moved --json")["images"], 30);
    let begin = "train --data moved --model mlp-16-8 --epochs 1 --batch 4 --lr 0 --threads 1 --json";
    let hash = |result: &Value| result["weights_sha256"].as_str().unwrap().to_owned();
    let run: Value = serde_json::from_slice(&fs::read(place.join("run/result.json")).unwrap()).unwrap();
    for (file, out) in [("run/checkpoint.safetensors", "a"), ("out.safetensors", "b")] {
        let again = json(place, &format!("{begin} --weights {file} --out {out}"));
        assert_eq!(hash(&again), hash(&run), "{file}");
    }
    // Of three classes, the logits start afresh and the rest does not.
    fs::create_dir(place.join("moved/green")).unwrap();
    for number in 0..15 {
        picture(number, 1).save(place.join(format!("moved/green/{number}.png"))).unwrap();
    }
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sam"));
    let arguments = format!("{begin} --weights out.safetensors --out c");
    let output = command.args(arguments.split_whitespace()).current_dir(place).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && stderr.contains("started afresh: weights/head.weight, weights/head.bias"),
        "{stderr}"
    );
    // Another network's weights are refused by the tensor's name.
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sam"));
    let arguments = "train --data moved --model mlp-16-9 --epochs 1 --weights out.safetensors --out d";
    let output = command.args(arguments.split_whitespace()).current_dir(place).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && stderr.contains("weights/dense2.weight: expected shape [16, 9]"),
        "{stderr}"
    );
}

#[test]
fn the_best_epoch_on_validation_images_is_kept_and_a_run_without_a_better_one_ends() {
    let place = trained();
    let place = place.path();
    let begin = "train --data photos --model mlp-8 --batch 4 --validation 0.3 --threads 1 --json";
    // At rate 0 no epoch is better than the first.
    let stopped = json(place, &format!("{begin} --epochs 30 --lr 0 --patience 3 --out a"));
    assert_eq!(stopped["best_epoch"], 1);
    assert_eq!(fs::read_to_string(place.join("a/metrics.jsonl")).unwrap().lines().count(), 4);
    assert_eq!(json(place, "train --resume a --json"), stopped);
    let run = json(place, &format!("{begin} --epochs 6 --lr 0.05 --out b"));
    let found = json(place, "evaluate b/best.safetensors --json");
    assert!((found["error"].as_f64().unwrap() - run["best_error"].as_f64().unwrap()).abs() < 1e-9, "{run}");
    assert!(!place.join("run/best.safetensors").exists(), "nothing is chosen on the test set");
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sam"));
    let output = command.args(["train", "--patience", "3"]).current_dir(place).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
