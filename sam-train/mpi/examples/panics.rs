//! A host program that panics on its last rank while the others wait for it: `mpirun -n 2 panics` ends at once.

use std::process::ExitCode;

fn main() -> ExitCode {
    let started = match sam_mpi::start() {
        Ok(started) => started,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ranks = &*started.ranks;
    assert!(ranks.rank() + 1 < ranks.size(), "the last rank");
    ranks.gather(&[]);
    ExitCode::SUCCESS
}
