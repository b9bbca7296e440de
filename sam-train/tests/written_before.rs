//! What the program wrote before is read as it was meant: configurations, and checkpoints that held what each epoch gave.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, path::Path};

use sam_train::training::{
    backend::Backend,
    checkpoint::{Checkpoint, CheckpointError},
    config::Config,
    settings::Method,
    trainer::{Trainer, TrainingError},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn here(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/written_before").join(file)
}

/// `config.toml` of a run with each method, and the digest of its settings in its checkpoint.
#[test]
fn a_configuration_of_every_method_is_read_and_written_back_and_tells_the_same_run() {
    let digests = fs::read_to_string(here("digests.txt")).unwrap();
    let mut methods = BTreeSet::new();
    for line in digests.lines() {
        let (name, digest) = line.split_once(' ').unwrap();
        let path = here(&format!("configs/{name}.toml"));
        let text = fs::read_to_string(&path).unwrap();
        let config = Config::decode(&path, &text).unwrap();
        assert_eq!(config.run.digest(), digest, "{name}");
        assert_eq!(config.encode(&path).unwrap(), text, "{name}");
        methods.insert(config.run.method.name());
    }
    for method in ["sgd", "sam", "asam", "mixup", "esam", "look-sam", "m-sharpness"] {
        assert!(methods.contains(method), "{method}");
    }
    assert_eq!(methods.len(), 14);
    assert!(methods.iter().all(|&name| Method::ALL.iter().any(|method| method.name() == name)));
}

/// Works on the checkpoint at `path` with a trainer of the run that was interrupted after two epochs.
fn with_trainer<T>(config: &Config, work: impl FnOnce(&mut Trainer<'_>) -> T) -> T {
    let data = config.run.data.name.load(None, config.run.data.limit).unwrap();
    let learner = Backend::Cpu { threads: 1 }.learner(&config.run, data.shape, data.classes).unwrap();
    let fingerprint = data.fingerprint().unwrap();
    work(&mut Trainer::new(&config.run, &data, &fingerprint, learner).unwrap())
}

#[test]
fn a_checkpoint_with_the_history_of_its_epochs_is_resumed_and_written_without() {
    let config = Config::load(&here("run/config.toml")).unwrap();
    let before = Checkpoint::load(&here("run/checkpoint.safetensors")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint.safetensors");
    with_trainer(&config, |trainer| {
        trainer.restore(&here("run/checkpoint.safetensors")).unwrap();
        assert_eq!((trainer.epoch(), trainer.steps_done()), (2, 16));
        assert_eq!(trainer.history(), before.position.history);
        assert_eq!(trainer.state().unwrap(), before.state);
        while !trainer.at_epoch_end() {
            trainer.step().unwrap();
        }
        trainer.end_epoch(true).unwrap();
        trainer.save(&path).unwrap();
    });
    let lines = fs::read_to_string(directory.path().join("metrics.jsonl")).unwrap();
    let written = fs::read_to_string(here("run/metrics.jsonl")).unwrap();
    assert!(lines.starts_with(&written) && lines.lines().count() == 3, "{lines}");
    assert!(Checkpoint::load(&path).unwrap().position.history.is_empty());
    with_trainer(&config, |trainer| {
        trainer.restore(&path).unwrap();
        assert_eq!((trainer.epoch(), trainer.history().len()), (3, 3));
    });
}

/// The file `path` again, with `change` made to what its header says of the run, and a checksum that fits.
fn resealed(path: &Path, change: impl FnOnce(String) -> String) -> Vec<u8> {
    let content = fs::read(path).unwrap();
    let end = 8 + u64::from_le_bytes(content[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&content[8..end]).unwrap();
    let run = change(header["__metadata__"]["run"].as_str().unwrap().to_owned());
    let mut hash = Sha256::new_with_prefix(&run);
    let order = header["__metadata__"]["order"].as_str().unwrap();
    for name in serde_json::from_str::<Vec<String>>(order).unwrap() {
        let numbers = |value: &Value| -> Vec<usize> { serde_json::from_value(value.clone()).unwrap() };
        let (shape, range) = (numbers(&header[&name]["shape"]), numbers(&header[&name]["data_offsets"]));
        hash.update(format!("\n{name} {shape:?}\n"));
        hash.update(&content[end + range[0]..end + range[1]]);
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    (header["__metadata__"]["run"], header["__metadata__"]["sha256"]) = (run.into(), digest.into());
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &content[end..]].concat()
}

/// A clock that stood still made a rate infinite, which JSON writes as `null`; a loss can be so as well.
#[test]
fn figures_that_are_no_numbers_keep_no_checkpoint_from_being_read() {
    let config = Config::load(&here("run/config.toml")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint.safetensors");
    let changes: [fn(String) -> String; 4] = [
        |run| run.replace("42295.202005849955", "null"),
        |run| run.replace("2.284037584450376", "null").replace("2.2598271806617123", "null"),
        |run| run.replace("\"seconds\":0.0", "\"seconds\":null"),
        |run| run.replace("\"loss_sum\":0.0", "\"loss_sum\":null"),
    ];
    for change in changes {
        let changed = resealed(&here("run/checkpoint.safetensors"), change);
        assert_ne!(changed, fs::read(here("run/checkpoint.safetensors")).unwrap());
        fs::write(&path, changed).unwrap();
        with_trainer(&config, |trainer| {
            trainer.restore(&path).unwrap();
            assert_eq!((trainer.epoch(), trainer.history().len()), (2, 2));
            trainer.save(&path).unwrap();
            trainer.restore(&path).unwrap();
            assert_eq!((trainer.epoch(), trainer.history().len()), (2, 2));
        });
    }
}

/// Of a file written before only the digest is known; of one that is written now, every setting.
#[test]
fn a_changed_setting_is_named_with_what_it_was_and_what_it_is() {
    let config = Config::load(&here("run/config.toml")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkpoint.safetensors");
    let refused = |config: &Config, path: &Path| match with_trainer(config, |trainer| trainer.restore(path)) {
        Err(TrainingError::Checkpoint(error @ CheckpointError::Mismatch { .. })) => error.to_string(),
        other => panic!("{other:?}"),
    };
    with_trainer(&config, |trainer| {
        trainer.restore(&here("run/checkpoint.safetensors")).unwrap();
        trainer.save(&path).unwrap();
    });
    let mut other = config.clone();
    other.run.sgd.lr = 0.025;
    let text = refused(&other, &path);
    assert!(text.contains(": sgd.lr: expected 0.025, found 0.05; it is of another run"), "{text}");
    let text = refused(&other, &here("run/checkpoint.safetensors"));
    assert!(text.contains(&format!(": settings: expected {}, found ", other.run.digest())), "{text}");
    other = config.clone();
    other.run.sgd.clip_norm = Some(1.0);
    assert!(refused(&other, &path).contains(": sgd.clip-norm: expected 1.0, found none"));
    other = config.clone();
    other.run.method = Method::Sgd;
    assert!(refused(&other, &path).contains(": method.name: expected sgd, found sam"));
}
