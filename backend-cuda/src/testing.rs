//! The device of unit tests.

#![allow(unsafe_code, reason = "asks whether the driver can be loaded, and says where the interpreter is")]

use std::{env, sync::OnceLock};

use crate::Device;

/// A GPU where there is one, else the interpreter of kernels, which lies beside this program.
pub fn device() -> Option<Device> {
    static CHOICE: OnceLock<()> = OnceLock::new();
    CHOICE.get_or_init(|| {
        // SAFETY: the system's driver may be loaded: its initialiser expects nothing of the program.
        let driver = unsafe { libloading::Library::new("libcuda.so.1") };
        let interpreter = env::current_exe().unwrap().with_file_name("libptx_interpreter_driver.so");
        if env::var_os("SAM_CUDA_DRIVER").is_none() && driver.is_err() && interpreter.exists() {
            // SAFETY: only here, once, before anything reads it; no other test of this program reads the environment.
            unsafe { env::set_var("SAM_CUDA_DRIVER", interpreter) };
        }
    });
    match Device::new(0) {
        Ok(device) => Some(device),
        Err(error) => {
            assert!(env::var_os("SAM_REQUIRE_CUDA").is_none_or(|value| value != "1"), "{error}");
            println!("skipped: {error}");
            None
        }
    }
}
