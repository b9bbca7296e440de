//! What the program wrote before methods became rows of a table is read as it was meant.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, path::Path};

use sam_train::training::{config::Config, settings::Method};

/// `config.toml` of a run with each method, and the digest of its settings in its checkpoint.
#[test]
fn a_configuration_of_every_method_is_read_and_written_back_and_tells_the_same_run() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/written_before");
    let digests = fs::read_to_string(directory.join("digests.txt")).unwrap();
    let mut methods = BTreeSet::new();
    for line in digests.lines() {
        let (name, digest) = line.split_once(' ').unwrap();
        let path = directory.join(format!("configs/{name}.toml"));
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
