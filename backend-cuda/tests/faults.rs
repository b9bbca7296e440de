//! A kernel that writes where it may not. One test in a process of its own: a fault ends a context.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "launches a kernel wrongly")]

use std::{env, path::Path};

use sam_backend_cuda::{CudaError, Device, DeviceVec, Grid, Kernel, Module, Ptr, PtrMut};

const PTX: &str = include_str!("../examples/custom_kernel_oracle/rosenbrock.ptx");

#[test]
fn the_error_names_the_kernel() {
    if env::var_os("SAM_CUDA_DRIVER").is_none() && !Path::new("/dev/nvidiactl").exists() {
        let interpreter = env::current_exe().unwrap().with_file_name("libptx_interpreter_driver.so");
        // SAFETY: the only test of the process; nothing else reads the environment meanwhile.
        unsafe { env::set_var("SAM_CUDA_DRIVER", interpreter) };
    }
    // SAFETY: as above.
    unsafe { env::set_var("SAM_CUDA_BLOCKING", "1") };
    let device = match Device::new(0) {
        Ok(device) => device,
        Err(CudaError::NoDevice { reason }) => {
            assert!(env::var_os("SAM_REQUIRE_CUDA").is_none_or(|value| value != "1"), "{reason}");
            println!("the_error_names_the_kernel: skipped: no CUDA driver ({reason})");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let module = Module::new(&device, "rosenbrock", PTX).unwrap();
    let kernel: Kernel<(Ptr<f32>, u32, PtrMut<f32>)> = module.kernel("rosenbrock_gradient").unwrap();
    let w = DeviceVec::<f32>::zeros(&device, 64).unwrap();
    // SAFETY: it is not safe: the kernel writes to address 0, which the device refuses. Nobody uses the results.
    let result = unsafe { device.launch(&kernel, Grid::over(64), (w.view().ptr(), 64, PtrMut::NULL)) };
    let error = result.unwrap_err().to_string();
    assert!(error.contains("kernel rosenbrock_gradient") && error.contains(&device.description()), "{error}");
}
