//! The examples, as a user runs them: without a GPU, and on the interpreter of kernels.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    env,
    path::PathBuf,
    process::{Command, Output},
};

const EXAMPLES: [(&str, &[&str], &str); 4] = [
    ("quickstart", &["60"], "of 64 points in their spiral"),
    ("train_wrn", &["wrn-10-1-projection", "2", "1", "8"], "images/s with SAM"),
    ("sam_step_graph", &["mlp-9", "3", "2", "4"], "the weights are the same, bit for bit"),
    ("custom_kernel_oracle", &["4", "50"], "the minimum is at (1, 1, ...)"),
];

/// The folder of this test, where shared libraries of dependencies are, and the one above, where examples are.
fn folder(up: usize) -> PathBuf {
    env::current_exe().unwrap().ancestors().nth(up).unwrap().to_owned()
}

fn run(name: &str, arguments: &[&str], driver: &PathBuf) -> Output {
    let program = folder(2).join("examples").join(name);
    Command::new(program).args(arguments).env("SAM_CUDA_DRIVER", driver).output().unwrap()
}

#[test]
fn without_a_driver_they_say_so_in_a_line() {
    for (name, arguments, _) in EXAMPLES {
        let output = run(name, arguments, &PathBuf::from("/nowhere/libcuda.so.1"));
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {text}");
        assert_eq!(text.lines().count(), 1, "{name}: {text}");
        assert!(
            text.contains("expected an NVIDIA GPU") && text.contains("/nowhere/libcuda.so.1"),
            "{name}: {text}"
        );
        assert!(output.stdout.is_empty(), "{name}");
    }
}

#[test]
fn on_the_interpreter_they_do_what_they_say() {
    let driver = folder(1).join("libptx_interpreter_driver.so");
    assert!(driver.exists(), "expected the interpreter at {}", driver.display());
    for (name, arguments, expected) in EXAMPLES {
        let output = run(name, arguments, &driver);
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {text}{errors}");
        assert!(text.contains(expected) && text.contains("interpreter"), "{name}: {text}");
    }
}

/// As the line that starts each of them says, with nothing set and nothing given: on the interpreter, and it is said that it is.
#[test]
fn without_a_gpu_they_find_the_interpreter() {
    // SAFETY: the system's driver may be loaded: its initialiser expects nothing of the program.
    #[allow(unsafe_code, reason = "asks whether there is a driver")]
    if unsafe { libloading::Library::new("libcuda.so.1") }.is_ok() {
        println!("skipped: there is a driver");
        return;
    }
    for (name, _, expected) in EXAMPLES {
        let program = folder(2).join("examples").join(name);
        let output = Command::new(program).env_remove("SAM_CUDA_DRIVER").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {text}{errors}");
        assert!(text.contains(expected) && text.contains("interpreter"), "{name}: {text}");
        assert!(errors.starts_with("no GPU here, so kernels are interpreted") && errors.lines().count() == 1);
    }
}
