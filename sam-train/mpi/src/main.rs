//! `mpirun -n 4 sam-mpi train ...`: the command `sam`, with the work of a run shared out among processes by MPI.

use std::process::ExitCode;

use sam_train::command;

/// Arguments that make no sense, as the command has it.
const BAD_USAGE: u8 = 2;

fn main() -> ExitCode {
    match sam_mpi::start() {
        Ok(started) => command::run_on(&started.ranks),
        Err(error) => {
            eprintln!("error: {error}");
            BAD_USAGE.into()
        }
    }
}
