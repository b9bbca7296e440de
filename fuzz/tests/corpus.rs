//! Every target takes the files of its corpus. That there is this test has `cargo test --workspace` build all targets, beside what they
//! share with everything else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, path::Path, process::Command};

macro_rules! targets {
    ($($name:ident)*) => {
        const TARGETS: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                let output = Command::new(env!(concat!("CARGO_BIN_EXE_", stringify!($name)))).output().unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
        )*
    };
}

targets! {
    arguments checkpoint cifar config eps_hat gzip idx mat method network onnx own_data own_network pictures ptx_execute ptx_parse recipe
    results step tensors torch
}

#[test]
fn no_target_is_left_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let names: BTreeSet<String> =
        names.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(TARGETS.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>(), names);
}
