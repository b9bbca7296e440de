//! The command on the device.

use std::{env, os::unix::fs::symlink, path::Path, process::Stdio, thread, time::Duration};

use assert_cmd::Command;

use super::support::{DRIVER, interpreter};

/// By the command: interrupted on the device within a run, and brought to its end on the CPU.
#[test]
fn the_command_goes_on_elsewhere() {
    let place = tempfile::tempdir().unwrap();
    let command = |arguments: &str| {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("sam"));
        command.args(arguments.split_whitespace()).current_dir(place.path());
        command.env(DRIVER, env::var_os(DRIVER).unwrap_or_else(|| interpreter().into()));
        command
    };
    let result = |arguments: &str| -> serde_json::Value {
        let output = command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let run = "train --limit 60 --model mlp-8 --batch 6 --epochs 12 --optimizer sam --schedule constant --clip-norm 0.5 \
               --ema 0.9 --swa-from 2 --json";
    let whole = result(&format!("{run} --backend cpu --out whole"));
    let mut child = command(&format!("{run} --backend cuda --out stopped"));
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let checkpoint: &Path = &place.path().join("stopped/checkpoint.safetensors");
    while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    let kill = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "the device is slower than the signal: {said}");
    let resumed = result("train --resume stopped --backend cpu --json");
    for field in ["train_loss", "test_loss", "test_error", "ema_test_error", "swa_test_error"] {
        let [found, expected] = [&resumed, &whole].map(|result| result[field].as_f64().unwrap());
        assert!((found - expected).abs() <= 1e-3 * expected, "{field}: {found}, expected {expected}");
    }
}

#[test]
fn the_command_multiplies_on_tensor_cores() {
    for (precision, expected) in [("tf32", 0), ("bf16", 0), ("f16", 2)] {
        let output = sam()
            .args([
                "bench",
                "--backend",
                "cuda",
                "--precision",
                precision,
                "--model",
                "mlp-4",
                "--image",
                "2x2x1",
            ])
            .args(["--batch", "4", "--steps", "9", "--json"])
            .env(DRIVER, env::var_os(DRIVER).unwrap_or_else(|| interpreter().into()))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(expected), "{}", String::from_utf8(output.stderr).unwrap());
    }
    let output = sam()
        .args(["bench", "--precision", "bf16", "--model", "mlp-4", "--image", "2x2x1"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && text.contains("expected --backend cuda, found cpu"), "{text}");
}

/// With NVIDIA's libraries, for which a stand-in does on the interpreter, and without.
#[test]
fn the_command_takes_the_kernels_that_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let stand_in = env::current_exe().unwrap().with_file_name("libvendor_stand_in.so");
    for name in ["libcublasLt.so.13", "libcudnn.so.9"] {
        symlink(&stand_in, folder.path().join(name)).unwrap();
    }
    let nowhere = tempfile::tempdir().unwrap();
    let bench = |kernels: &str, libraries: &Path| {
        let output = sam()
            .args([
                "bench",
                "--backend",
                "cuda",
                "--kernels",
                kernels,
                "--model",
                "lenet",
                "--image",
                "4x4x1",
            ])
            .args(["--batch", "1", "--steps", "9", "--json"])
            .env(DRIVER, interpreter())
            .env("SAM_CUDA_LIB_DIR", libraries)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    // Two convolutions and two dense layers, and no gradient of the images; what is faster here may be close.
    for (kernels, libraries, expected) in [
        ("native", folder.path(), 0..=0),
        ("vendor", folder.path(), 11..=11),
        ("auto", folder.path(), 1..=11),
        ("native", nowhere.path(), 0..=0),
        ("auto", nowhere.path(), 0..=0),
    ] {
        let (code, out, errors) = bench(kernels, libraries);
        assert_eq!(code, Some(0), "{kernels}: {errors}");
        let found = |vendor: usize| out.contains(&format!("\"vendor_kernels\":{vendor},"));
        assert!(expected.into_iter().any(found), "{kernels}: {out}");
        assert!(out.contains("weight gradient: "), "{kernels}: {out}");
    }
    let (code, _, errors) = bench("vendor", nowhere.path());
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.lines().count() == 1 && errors.contains("no cuDNN (nothing at"), "{errors}");
    assert_eq!(bench("cutlass", folder.path()).0, Some(2));
    let output =
        sam().args(["bench", "--kernels", "vendor", "--model", "mlp-4", "--image", "2x2x1"]).output();
    let output = output.unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && text.contains("expected --backend cuda, found cpu"), "{text}");
}

fn sam() -> Command {
    Command::cargo_bin("sam").unwrap()
}

#[test]
fn without_a_gpu_the_command_says_so_in_a_line() {
    for arguments in [
        &["bench", "--model", "mlp-4", "--image", "2x2x1"][..],
        &["train", "--epochs", "1", "--out", "/nowhere/run"],
        &["compare", "--seeds", "1", "--out", "/nowhere/comparison"],
    ] {
        let output =
            sam().args(arguments).args(["--backend", "cuda"]).env(DRIVER, "/nowhere/libcuda.so").output();
        let output = output.unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.lines().count() == 1 && text.contains("expected an NVIDIA GPU"), "{text}");
    }
}

#[test]
fn the_command_times_steps_on_a_device() {
    let output = sam()
        .args(["bench", "--backend", "cuda", "--model", "mlp-4", "--image", "2x2x1", "--batch", "4"])
        .args(["--steps", "9", "--json"])
        .env(DRIVER, env::var_os(DRIVER).unwrap_or_else(|| interpreter().into()))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8(output.stderr).unwrap());
    assert!(text.contains("\"sam_ms\":"), "{text}");
}

/// A number that no GPU has is refused by the driver, and one without a GPU by the command.
#[test]
fn the_command_takes_the_gpu_that_it_is_told() {
    let said = |arguments: &[&str]| {
        let output = sam()
            .args(["bench", "--model", "mlp-4", "--image", "2x2x1", "--batch", "4", "--steps", "9"])
            .args(arguments)
            .env(DRIVER, env::var_os(DRIVER).unwrap_or_else(|| interpreter().into()))
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert!(said(&["--backend", "cuda", "--device", "0"]).0);
    let (success, text) = said(&["--backend", "cuda", "--device", "77"]);
    assert!(!success && text.contains("asked for device 77"), "{text}");
    let (success, text) = said(&["--device", "1"]);
    assert!(!success && text.contains("--device: expected --backend cuda"), "{text}");
}

/// A run's directory may be somebody else's: its config.toml alone must not have a library loaded.
#[test]
fn a_resumed_run_loads_the_library_of_the_environment_only_if_the_command_line_asks_for_the_device() {
    let place = tempfile::tempdir().unwrap();
    let run = |arguments: &str, driver: &str| {
        let arguments = arguments.split_whitespace();
        sam().args(arguments).current_dir(place.path()).env(DRIVER, driver).output().unwrap()
    };
    let started =
        run("train --model mlp-4 --epochs 1 --limit 64 --batch 32 --out run", "/nowhere/libcuda.so");
    assert!(started.status.success());
    let config = place.path().join("run/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("[machine]\n", "[machine]\nbackend = \"cuda\"\n")).unwrap();
    std::fs::remove_file(place.path().join("run/result.json")).unwrap();
    let refused = run("train --resume run", "/nowhere/libcuda.so");
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{text}");
    assert!(text.starts_with("error: --backend: expected cuda to be asked for here too"), "{text}");
    let asked = run("train --resume run --backend cuda", "/nowhere/libcuda.so");
    assert!(String::from_utf8(asked.stderr).unwrap().contains("/nowhere/libcuda.so"));
}
