//! NVIDIA's libraries where they are not, or are something else. One test in a process of its own: where they are looked for
//! is read from the environment.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "sets environment variables")]

use std::{env, fs, path::Path, process};

use sam_backend_cuda::{CudaError, CudaNetwork, Device, KernelChoice, UniqueId};
use sam_model::ImageShape;

const NAMES: [&str; 2] = ["libcublasLt.so.13", "libcudnn.so.9"];

/// Puts something at the place of a library, and what is said about it.
type Case<'a> = (&'a dyn Fn(&Path), [&'a str; 2]);

#[test]
fn without_libraries_auto_is_native_and_vendor_says_what_was_looked_for() {
    let interpreter = env::current_exe().unwrap().with_file_name("libptx_interpreter_driver.so");
    assert!(interpreter.exists(), "expected the interpreter at {}", interpreter.display());
    let folder = env::temp_dir().join(format!("sam-libraries-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    // SAFETY: the only test of the process; nothing else reads the environment meanwhile.
    unsafe {
        env::set_var("SAM_CUDA_DRIVER", &interpreter);
        env::set_var("SAM_CUDA_LIB_DIR", &folder);
    }
    let put = |contents: &dyn Fn(&Path)| {
        for name in NAMES {
            let path = folder.join(name);
            let _ = fs::remove_file(&path);
            contents(&path);
        }
    };
    let nothing = |_: &Path| ();
    let text = |path: &Path| fs::write(path, "no library at all").unwrap();
    // A library, but without the functions.
    let other = |path: &Path| assert!(fs::copy(&interpreter, path).unwrap() > 0);
    let cases: [Case<'_>; 3] = [
        (&nothing, ["nothing at", "libcudnn.so.9"]),
        (&text, ["invalid ELF header", "file too short"]),
        (&other, ["undefined symbol: cublasLt", "undefined symbol: cudnn"]),
    ];
    let error = UniqueId::new().unwrap_err();
    assert!(matches!(error, CudaError::NoNccl { .. }), "{error:?}");
    let line = error.to_string();
    assert_eq!(line.lines().count(), 1, "{line}");
    for part in ["no NCCL", "libnccl.so.2", "pip install nvidia-nccl-cu13", "SAM_CUDA_LIB_DIR", "one GPU"] {
        assert!(line.contains(part), "{line}");
    }
    for (contents, expected) in cases {
        put(contents);
        // What was found is kept for the life of a device.
        let device = Device::new(0).unwrap();
        let image = ImageShape::new(8, 8, 1);
        let mut network = CudaNetwork::new(&device, &"lenet".parse().unwrap(), image, 3, 2).unwrap();
        network.set_kernels(KernelChoice::Auto).unwrap();
        assert!(!network.kernels().is_empty());
        for kernel in network.kernels() {
            assert!(!kernel.vendor && expected.iter().any(|part| kernel.reason.contains(part)), "{kernel}");
        }
        for error in [device.check_kernels(KernelChoice::Vendor), network.set_kernels(KernelChoice::Vendor)] {
            let error = error.unwrap_err();
            assert!(matches!(error, CudaError::Libraries { .. }), "{error:?}");
            let line = error.to_string();
            assert_eq!(line.lines().count(), 1, "{line}");
            for part in ["no cuBLASLt", "no cuDNN", "SAM_CUDA_LIB_DIR", "nvidia-cudnn-cu13", "native"] {
                assert!(line.contains(part), "{line}");
            }
        }
        device.check_kernels(KernelChoice::Native).unwrap();
    }
    // Without the variable the usual places are looked at.
    // SAFETY: as above.
    unsafe {
        env::remove_var("SAM_CUDA_LIB_DIR");
        env::set_var("VIRTUAL_ENV", "/nowhere");
    }
    if let Err(error) = Device::new(0).unwrap().check_kernels(KernelChoice::Vendor) {
        let line = error.to_string();
        assert!(line.contains("/usr/local/cuda/lib64/libcudnn.so.9"), "{line}");
    }
    fs::remove_dir_all(folder).unwrap();
}
