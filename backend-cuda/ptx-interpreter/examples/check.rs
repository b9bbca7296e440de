//! Says of PTX files which kernels the interpreter can run: `cargo run -p ptx-interpreter --example check FILE…`

use std::process::ExitCode;

use ptx_interpreter::{Checks, Device};

fn main() -> ExitCode {
    let mut refused = false;
    for path in std::env::args().skip(1) {
        let loaded = match std::fs::read_to_string(&path) {
            Ok(source) => Device::new(1 << 30, Checks::default()).load(&source).map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match loaded {
            Ok(module) => {
                for kernel in module.kernels {
                    println!("{path}: {}: {} instructions", kernel.name, kernel.code.len());
                }
            }
            Err(error) => {
                println!("{path}: refused: {error}");
                refused = true;
            }
        }
    }
    ExitCode::from(u8::from(refused))
}
