//! Whether the processes that were started together know of each other.

use std::env;

use super::StartError;

/// What launchers tell a process of how many there are: Open MPI's; MPICH's, and Slurm's in its place; `srun`.
const SIZES: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];

/// Makes sure that the world has as many ranks as the launcher says. Under another MPI's launcher each process is a world
/// of its own.
pub fn check(ranks: i32) -> Result<(), StartError> {
    let told = SIZES.iter().filter_map(|name| env::var(name).ok()?.parse::<i32>().ok()).max();
    match told {
        Some(launched) if launched > ranks => {
            let library = mpi::environment::library_version().unwrap_or_default();
            let library = library.lines().next().unwrap_or_default().to_owned();
            Err(StartError::Apart { launched, ranks, library })
        }
        _ => Ok(()),
    }
}
