//! What must hold for any bytes at all, one module for each target: `check(bytes)` panics if it does not.
//!
//! [`target!`] makes a program of a check: under `cargo fuzz` one that libFuzzer drives, else one that runs a corpus and
//! mutations of it by itself ([`driver`]).

pub mod arguments;
pub mod checkpoint;
pub mod cifar;
pub mod config;
pub mod driver;
pub mod eps_hat;
mod folder;
pub mod gzip;
pub mod idx;
pub mod mat;
pub mod method;
pub mod network;
pub mod onnx;
pub mod own_data;
pub mod own_network;
pub mod pictures;
pub mod ptx_execute;
pub mod ptx_parse;
pub mod recipe;
pub mod results;
pub mod step;
pub mod tensors;
pub mod torch;

#[path = "../../sam-core/tests/support/method.rs"]
#[allow(dead_code, missing_docs, reason = "shared with the tests of sam-core, which use the rest")]
mod every_method;
#[path = "../../backend-ndarray/tests/networks/reference.rs"]
#[allow(dead_code, missing_docs, reason = "shared with the tests of the backends, which use the rest")]
mod reference;
#[path = "../../backend-ndarray/tests/networks/wirings.rs"]
#[allow(dead_code, missing_docs, reason = "shared with the tests of the backends, which use the rest")]
mod wirings;

/// The program of a target.
#[macro_export]
macro_rules! target {
    ($check:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $check(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::process::ExitCode {
            $crate::driver::main($check)
        }
    };
}
