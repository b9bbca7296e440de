//! Resumed runs over all that a run can be set to, and checkpoints made to do harm.

use std::{collections::HashMap, fs, path::Path};

use sam_core::Norm;
use sam_train::{
    data::{Augment, Policy},
    training::{
        checkpoint::{Checkpoint, CheckpointError, RunPosition},
        settings::{
            BatchSizes, DataSettings, LastBatch, Method, NormExponent, ScheduleSettings, ScheduleShape,
            Settings, SgdSettings,
        },
        state::{State, Tensor},
        trainer::{Trainer, TrainingError},
    },
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::support::{BASE, data, trainer};

fn plain() -> Settings {
    Settings {
        epochs: 2,
        batch: BatchSizes::one(20),
        data: DataSettings { limit: Some(90), label_noise: 0.1, ..BASE.data },
        method: Method::Sgd,
        ..BASE
    }
}

fn sam(p: f64) -> Method {
    Method::Sam { rho: 0.05, norm: NormExponent(Norm::from_p(p).unwrap()) }
}

/// Makes one step, and closes the epoch if it was the last.
fn step(trainer: &mut Trainer<'_>) {
    trainer.step().unwrap();
    if trainer.at_epoch_end() {
        trainer.end_epoch(false).unwrap();
    }
}

/// Bits of all final state, and losses.
fn outcome(trainer: &mut Trainer<'_>) -> (Vec<u32>, Vec<u64>) {
    let state = trainer.state().unwrap();
    let values = state.tensors.iter().flat_map(|tensor| &tensor.values);
    let losses = trainer.history().iter().map(|epoch| epoch.train_loss.to_bits());
    (values.map(|value| value.to_bits()).collect(), losses.collect())
}

/// Every method, shape of the schedule, augmentation, form of momentum and of weight decay, with a warm-up and without.
fn all_settings() -> Vec<Settings> {
    let mut all = Vec::new();
    for method in [Method::Sgd, sam(1.0), sam(2.0), sam(3.0), sam(f64::INFINITY)] {
        for shape in [ScheduleShape::Cosine, ScheduleShape::Step, ScheduleShape::Constant] {
            for augment in [Augment::None, Augment::Cutout, Augment::Policy(Policy::RAND)] {
                let i = all.len();
                let sgd = SgdSettings {
                    momentum: [0.9, 0.0, 0.5][i % 3],
                    nesterov: i % 2 == 0,
                    decoupled: i % 4 < 2,
                    ..BASE.sgd
                };
                all.push(Settings {
                    last_batch: LastBatch::Drop,
                    model: ["mlp-12", "lenet", "resnet-8", "wrn-10-1-projection"][i % 4].parse().unwrap(),
                    init: None,
                    checkpoint_activations: false,
                    label_smoothing: [0.0, 0.1][i % 2],
                    method,
                    sgd,
                    schedule: ScheduleSettings { shape, warmup_epochs: i % 2 },
                    data: DataSettings { augment, ..plain().data },
                    ..plain()
                });
            }
        }
    }
    all
}

/// Asserts that a run whose process ends after each step, four to the end of an epoch, and whose threads change all the time, ends
/// as one that was never stopped.
fn assert_resumes(settings: &Settings, path: &Path) {
    let data = data(settings);
    let mut whole = trainer(settings, &data, 1);
    while !whole.finished() {
        step(&mut whole);
    }
    let mut steps = 0;
    loop {
        let mut current = trainer(settings, &data, 1 + steps % 3);
        if steps > 0 {
            current.restore(path).unwrap();
        }
        assert_eq!(current.steps_done(), steps);
        if current.finished() {
            assert!(outcome(&mut current) == outcome(&mut whole), "{settings:?}");
            break;
        }
        step(&mut current);
        current.save(path).unwrap();
        steps += 1;
    }
    assert_eq!(steps, 8);
}

#[test]
fn every_setting_resumes_to_the_same_bits_after_any_step_on_any_number_of_threads() {
    let directory = tempfile::tempdir().unwrap();
    for settings in all_settings() {
        assert_resumes(&settings, &directory.path().join("checkpoint.safetensors"));
    }
}

/// Masks and coefficients are those of the run that was never stopped, for methods that follow one gradient or several.
#[test]
fn every_family_of_networks_resumes_to_the_same_bits_after_any_step_on_any_number_of_threads() {
    let directory = tempfile::tempdir().unwrap();
    let random = ["shake-shake-8-2x4d", "pyramidnet-11-4-shakedrop"];
    let methods = [Method::Sgd, Method::GSAM, Method::M_SHARPNESS, Method::SECOND_ORDER_SAM, Method::MIXUP];
    let others = [
        "wrn-10-1",
        "wrn-10-1-nobn",
        "resnet-8-noshort",
        "resnet-50-w1",
        "efficientnet-b0",
        "efficientnet-lite0",
    ];
    let runs = random.into_iter().flat_map(|model| methods.map(|method| (model, method)));
    for (model, method) in runs.chain(random.into_iter().chain(others).map(|model| (model, Method::SAM))) {
        let settings = Settings { model: model.parse().unwrap(), method, ..plain() };
        assert_resumes(&settings, &directory.path().join("checkpoint.safetensors"));
    }
}

fn checkpoint(values: Vec<f32>) -> Checkpoint {
    let tensor = Tensor { name: "weights/a.weight".into(), shape: vec![values.len()], values };
    Checkpoint { position: RunPosition::start(&plain(), "d"), state: State { tensors: vec![tensor] } }
}

/// A file of `header` and `data` as safetensors lays them out, whatever the header says.
fn write(path: &Path, header: &Value, data: &[u8]) {
    let header = header.to_string();
    let content = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat();
    fs::write(path, content).unwrap();
}

/// The header and the data of the file `path`.
fn read(path: &Path) -> (Value, Vec<u8>) {
    let content = fs::read(path).unwrap();
    let end = 8 + u64::from_le_bytes(content[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&content[8..end]).unwrap(), content[end..].to_vec())
}

/// What is wrong with the file, and the line that says so.
fn refused(path: &Path) -> (&'static str, String) {
    let error = Checkpoint::load(path).unwrap_err();
    let text = error.to_string();
    for word in [path.to_str().unwrap(), "expected ", "found ", "name a checkpoint that sam has written"] {
        assert!(text.contains(word), "no {word} in {text}");
    }
    assert_eq!(text.lines().count(), 1, "{text}");
    match error {
        CheckpointError::Broken { field, .. } => (field, text),
        other => panic!("{other}"),
    }
}

#[test]
fn hostile_headers_are_refused_in_one_line_and_nothing_is_allocated_for_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.safetensors");
    checkpoint(vec![1.0, 2.0, 3.0, 4.0]).save(&path).unwrap();
    let (header, data) = read(&path);
    let name = "weights/a.weight";
    let with = |change: &dyn Fn(&mut Value)| {
        let mut header = header.clone();
        change(&mut header);
        write(&path, &header, &data);
        refused(&path)
    };
    let terabyte = 1_u64 << 40;
    let layouts: &[&dyn Fn(&mut Value)] = &[
        // A tensor of a terabyte, of more bytes than there are numbers, beyond the end, overlapping, backwards.
        &|h| h[name]["shape"] = json!([terabyte]),
        &|h| h[name]["shape"] = json!([u64::MAX, u64::MAX]),
        &|h| h[name] = json!({"dtype": "F32", "shape": [terabyte / 4], "data_offsets": [0, terabyte]}),
        &|h| h[name]["data_offsets"] = json!([0, 1 << 20]),
        &|h| h[name]["data_offsets"] = json!([16, 0]),
        &|h| h["other"] = json!({"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}),
        &|h| h[name]["dtype"] = json!("F99"),
        &|h| h["__metadata__"] = json!(7),
        &|h| *h = json!([]),
    ];
    for (i, change) in layouts.iter().enumerate() {
        assert_eq!(with(*change).0, "layout", "header {i}");
    }
    assert_eq!(with(&|h| h[name]["dtype"] = json!("I32")).0, "tensor type");
    assert_eq!(with(&|h| h["__metadata__"]["order"] = json!("[\"weights/b\"]")).0, "order");
    assert_eq!(with(&|h| h["__metadata__"]["order"] = json!("{}")).0, "order");
    assert_eq!(with(&|h| drop(h["__metadata__"].as_object_mut().unwrap().remove("run"))).0, "run");
    assert_eq!(with(&|h| h["__metadata__"]["run"] = json!("{}")).0, "sha256");
    // Nothing is wrong with a file of another version, and nothing may be deleted.
    let mut newer = header.clone();
    newer["__metadata__"]["format"] = json!("sam-checkpoint-3");
    write(&path, &newer, &data);
    let text = Checkpoint::load(&path).unwrap_err().to_string();
    let expected =
        "expected sam-checkpoint-2 or sam-checkpoint-1, found sam-checkpoint-3; use the version of sam";
    assert!(text.contains(expected), "{text}");

    for length in [0, 1, 7, 8, 9] {
        fs::write(&path, vec![0xff; length]).unwrap();
        assert_eq!(refused(&path).0, "layout");
    }
    // A header that claims to be longer than any file.
    fs::write(&path, [&u64::MAX.to_le_bytes()[..], b"{}"].concat()).unwrap();
    assert_eq!(refused(&path).0, "layout");
}

/// What a checksum cannot tell: a file that somebody made to fit its checksum.
#[test]
fn a_checkpoint_with_a_right_checksum_and_wrong_content_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.safetensors");
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        checkpoint(vec![1.0, bad]).save(&path).unwrap();
        let (field, text) = refused(&path);
        assert!(field == "tensors" && text.contains("weights/a.weight"), "{text}");
    }
    // `run` is hashed with the tensors; a hash of any other text fits it as well.
    checkpoint(vec![1.0]).save(&path).unwrap();
    let (mut header, data) = read(&path);
    for run in ["", "[]", "{\"settings\":\"s\"}"] {
        let mut hash = Sha256::new_with_prefix(run);
        hash.update("\nweights/a.weight [1]\n");
        hash.update(&data);
        let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let metadata: HashMap<&str, Value> = HashMap::from([
            ("format", header["__metadata__"]["format"].clone()),
            ("order", header["__metadata__"]["order"].clone()),
            ("run", run.into()),
            ("sha256", hex.into()),
        ]);
        header["__metadata__"] = json!(metadata);
        write(&path, &header, &data);
        assert_eq!(refused(&path).0, "run", "{run}");
    }
}

#[test]
fn a_state_whose_tensors_could_not_be_told_apart_cannot_be_written() {
    let mut twice = checkpoint(vec![1.0]);
    twice.state.tensors.extend(twice.state.tensors.clone());
    let error = twice.encode(Path::new("c")).unwrap_err();
    assert_eq!(error.to_string(), "c: cannot be written: two tensors are named \"weights/a.weight\"");
    // In the file's header that is no tensor.
    let mut reserved = checkpoint(vec![1.0]);
    reserved.state.tensors[0].name = "__metadata__".into();
    let error = reserved.encode(Path::new("c")).unwrap_err().to_string();
    assert!(error.starts_with("c: cannot be written: a tensor is named \"__metadata__\""), "{error}");
}

#[test]
fn a_place_that_the_run_cannot_be_at_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.safetensors");
    let settings = Settings { model: "mlp-5".parse().unwrap(), ..plain() };
    let data = data(&settings);
    let mut trainer = trainer(&settings, &data, 1);
    for _ in 0..5 {
        step(&mut trainer);
    }
    trainer.save(&path).unwrap();
    let good = Checkpoint::load(&path).unwrap();
    let before = outcome(&mut trainer);
    let changes: &[&dyn Fn(&mut RunPosition)] = &[
        &|p| p.step = 4,
        &|p| p.step = usize::MAX,
        &|p| p.epochs = 2,
        &|p| p.epochs = 3,
        &|p| p.last = None,
        &|p| p.last.as_mut().unwrap().epoch = 2,
        &|p| p.skipped = 2,
        &|p| p.rollbacks = u32::MAX,
    ];
    for (i, change) in changes.iter().enumerate() {
        let mut bad = good.clone();
        change(&mut bad.position);
        bad.save(&path).unwrap();
        match trainer.restore(&path) {
            Err(TrainingError::Checkpoint(CheckpointError::Mismatch { field, .. }))
                if *field == *"position" => {}
            other => panic!("change {i}: {other:?}"),
        }
        assert!(outcome(&mut trainer) == before, "change {i}");
    }
    good.save(&path).unwrap();
    trainer.restore(&path).unwrap();
}
