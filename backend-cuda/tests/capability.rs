//! A card without tensor cores. One test in a process of its own: what the interpreter claims to be is read from the
//! environment.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "sets environment variables")]

use std::env;

use sam_backend_cuda::{CudaError, CudaNetwork, Device, Precision};
use sam_model::ImageShape;

#[test]
fn without_tensor_cores_only_f32_is_there() {
    let interpreter = env::current_exe().unwrap().with_file_name("libptx_interpreter_driver.so");
    assert!(interpreter.exists(), "expected the interpreter at {}", interpreter.display());
    // SAFETY: the only test of the process; nothing else reads the environment meanwhile.
    unsafe {
        env::set_var("SAM_CUDA_DRIVER", interpreter);
        env::set_var("PTX_INTERPRETER_CAPABILITY", "7.5");
    }
    let device = Device::new(0).unwrap();
    let model = "mlp-4".parse().unwrap();
    let mut network = CudaNetwork::new(&device, &model, ImageShape::new(2, 2, 1), 3, 2).unwrap();
    network.set_precision(Precision::Single).unwrap();
    for precision in [Precision::Tf32, Precision::Bf16] {
        let error = network.set_precision(precision).unwrap_err();
        assert_eq!(error, CudaError::Precision { precision, card: device.description() });
        let text = error.to_string();
        assert!(
            text.contains("8.0") && text.contains("7.5") && text.contains(&precision.to_string()),
            "{text}"
        );
    }
}
