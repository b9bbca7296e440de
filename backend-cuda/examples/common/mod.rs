//! Where examples compute: on a GPU or, where there is none, on the interpreter of kernels that cargo builds beside them.

use std::{
    env,
    error::Error,
    path::PathBuf,
    process::{Command, ExitCode},
};

use sam_backend_cuda::{CudaError, Device};

/// What an example does on a device, and whether that is an interpreter, where less is to be done.
type Run = fn(&Device, bool) -> Result<(), Box<dyn Error>>;

const DRIVER: &str = "SAM_CUDA_DRIVER";

/// Runs it; says in a line why it cannot be run.
pub fn main(run: Run) -> ExitCode {
    let result = match Device::new(0) {
        Ok(device) => {
            println!("{}", device.description());
            run(&device, device.synchronisations().is_some())
        }
        Err(CudaError::NoDevice { .. }) if env::var_os(DRIVER).is_none() && interpreter().is_some() => {
            return again().unwrap_or_else(|error| failed(&error));
        }
        Err(error) => Err(error.into()),
    };
    result.map_or_else(|error| failed(&*error), |()| ExitCode::SUCCESS)
}

fn failed(error: &dyn Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

/// The program once more, with the interpreter as its driver: which one that is, is asked once in the life of a process.
fn again() -> Result<ExitCode, std::io::Error> {
    let interpreter = interpreter().unwrap_or_default();
    eprintln!("no GPU here, so kernels are interpreted, as with {DRIVER}={}", interpreter.display());
    let status =
        Command::new(env::current_exe()?).args(env::args_os().skip(1)).env(DRIVER, interpreter).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The interpreter's library: cargo puts examples into a folder beside that of what tests depend on.
pub fn interpreter() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let library = program.ancestors().nth(2)?.join("deps/libptx_interpreter_driver.so");
    library.exists().then_some(library)
}
