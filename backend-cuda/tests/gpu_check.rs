//! The script `gpu-check` with programs that fail, hang or print nonsense in place of those that it runs: a card is lent for
//! minutes, and what one row does may not cost the others.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::Mutex,
};

/// Held while a program is written and while one is started: a process that begins meanwhile would inherit the open file, and who
/// starts a program that somebody has open for writing is told that it is busy.
static STARTING: Mutex<()> = Mutex::new(());

const ROW: &str = r#"echo '{"sgd_ms":1.5,"sam_ms":2.5,"sam_images_per_s":1600,"sam_over_sgd":1.667,"kernels":["a: native"]}'"#;

/// A folder as `gpu-check pack` makes it.
struct Packed(PathBuf);

impl Packed {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("sam-gpu-check-{name}-{}", process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("path")).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("gpu-check");
        {
            let _alone = STARTING.lock();
            fs::copy(script, folder.join("gpu-check")).unwrap();
        }
        let own = Self(folder);
        for program in [
            "quickstart",
            "kernel-tests",
            "device-tests",
            "custom_kernel_oracle",
            "sam_step_graph",
            "train_wrn",
        ] {
            own.program(program, "echo well");
        }
        own.program("sam", ROW);
        // No PyTorch, whatever this machine has.
        own.program("path/python3", "exit 1");
        own
    }

    fn program(&self, name: &str, does: &str) {
        let path = self.0.join(name);
        let _alone = STARTING.lock();
        fs::write(&path, format!("#!/bin/sh\n{does}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Whether it succeeds, and what it says.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let path = format!("{}:{}", self.0.join("path").display(), env::var("PATH").unwrap());
        let mut command = Command::new(self.0.join("gpu-check"));
        command.args(arguments).env("PATH", path).env("NETWORKS", "mlp-4 2x2x1 4").env_remove("OUT");
        command.env_remove("SAM_CUDA_LIB_DIR").stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = {
            let _alone = STARTING.lock();
            command.spawn().unwrap()
        };
        let output = child.wait_with_output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn out(&self, name: &str) -> String {
        fs::read_to_string(self.0.join("out").join(name)).unwrap_or_default()
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_succeeds_is_told_and_kept() {
    let packed = Packed::new("well");
    let (success, said) = packed.run(&["run"]);
    assert!(success && said.contains("nothing failed"), "{said}");
    assert_eq!(packed.out("device-tests-blocking.log"), "well\n");
    assert!(packed.out("summary.txt").contains("skipped: no PyTorch"));
    assert_eq!(packed.out("bench.jsonl").lines().count(), 6, "three precisions, two kinds of kernels");
    let table = packed.out("table.txt");
    assert!(table.lines().filter(|line| line.contains("1600")).count() == 6, "{table}");
}

#[test]
fn a_failure_is_noted_and_the_rest_is_run() {
    let packed = Packed::new("failure");
    packed.program("kernel-tests", "echo broken kernel; exit 101");
    let (success, said) = packed.run(&["run", "check", "bench"]);
    assert!(!success, "{said}");
    assert!(said.contains("kernel-tests: exit 101, see kernel-tests.log"), "{said}");
    assert!(said.contains("broken kernel"), "{said}");
    assert_eq!(packed.out("train_wrn.log"), "well\n");
    assert_eq!(packed.out("bench.jsonl").lines().count(), 6);
}

#[test]
fn a_bench_whose_rows_all_fail_has_failed() {
    let packed = Packed::new("rows");
    packed.program("sam", "echo out of memory; exit 1");
    let (success, said) = packed.run(&["bench", "cuda"]);
    assert!(!success && said.contains("6 failed"), "{said}");
}

/// That a library is not there is no failure; that it crashes is one.
#[test]
fn libraries_may_be_missing_but_not_broken() {
    let packed = Packed::new("libraries");
    packed.program("sam", "echo 'expected libraries, found no cuDNN (nothing at libcudnn.so.9)'; exit 1");
    let (success, said) = packed.run(&["run", "libraries"]);
    assert!(success && said.contains("skipped: expected libraries, found no cuDNN"), "{said}");
    for broken in ["cuDNN status 5003", "no cuBLASLt that works here (cublasLtCreate, status 1)"] {
        packed.program("sam", &format!("echo '{broken}'; exit 139"));
        let (success, said) = packed.run(&["run", "libraries"]);
        assert!(!success && said.contains("libraries: exit 139"), "{said}");
    }
    assert_eq!(packed.out("device-tests-vendor.log"), "well\n");
}

/// A row that hangs ends with its stage, and rows behind it are named.
#[test]
fn nothing_runs_longer_than_its_stage() {
    let packed = Packed::new("hang");
    packed.program("quickstart", "sleep 600");
    let script = fs::read_to_string(packed.0.join("gpu-check")).unwrap();
    fs::write(packed.0.join("gpu-check"), script.replace("STAGE_SECONDS:-480", "STAGE_SECONDS:-1")).unwrap();
    let (success, said) = packed.run(&["run", "check", "sanitize"]);
    assert!(!success, "{said}");
    assert!(said.contains("quickstart: killed after 1 s"), "{said}");
    assert!(said.contains("device-tests: not run, the stage's time was over"), "{said}");
}

#[test]
fn an_unknown_stage_is_refused() {
    let packed = Packed::new("stage");
    let (success, said) = packed.run(&["run", "chek"]);
    assert!(!success && !said.contains("== "), "{said}");
}
