//! The ranks of a run as processes of MPI, over the user's own Open MPI or MPICH.
//!
//! The program `sam-mpi` is the command `sam` on top of it. A host program of one's own starts the same way and gives the
//! ranks to its learner:
//!
//! ```no_run
//! use std::rc::Rc;
//! # use sam_train::{data::Dataset, training::{cpu::CpuLearner, settings::Settings}};
//! # fn build(settings: &Settings, data: &Dataset) -> Result<(), Box<dyn std::error::Error>> {
//! let started = sam_mpi::start()?; // before anything else, and dropped last
//! let learner = CpuLearner::on_ranks(settings, data.shape, data.classes, 1, Rc::clone(&started.ranks))?;
//! # Ok(()) }
//! ```

mod background;
mod collective;
mod launcher;
mod panics;
mod world;

use std::rc::Rc;

use mpi::{Threading, environment::Universe, traits::Communicator};
use sam_train::ranks::Ranks;

pub use world::World;

/// MPI, as long as this lives.
pub struct Started {
    /// This process among those that were started together.
    pub ranks: Rc<dyn Ranks>,
    // Dropped after the ranks, which must have no other owner by then.
    _universe: Universe,
}

/// Why there are no ranks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// MPI can be started once in a process.
    Twice,
    /// The processes do not know of each other: all would do everything, and write the same files.
    Apart {
        /// Processes that were started together.
        launched: i32,
        /// Ranks of the world that this one is in.
        ranks: i32,
        /// The MPI that this program was built with.
        library: String,
    },
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Twice => {
                f.write_str("expected an MPI that was not started yet, found one that was; start it once")
            }
            Self::Apart { launched, ranks, library } => write!(
                f,
                "expected the {launched} processes that were started together as ranks, found {ranks}; start them with \
                 the launcher of the MPI that this program was built with: {library}"
            ),
        }
    }
}

impl std::error::Error for StartError {}

/// Starts MPI. From here on a panic of one process ends those of all ranks.
///
/// # Errors
/// [`StartError`].
pub fn start() -> Result<Started, StartError> {
    // The threads of a network send no messages.
    let started = mpi::initialize_with_threading(Threading::Funneled);
    let (universe, level) = started.ok_or(StartError::Twice)?;
    panics::end_all_ranks();
    let world = universe.world();
    launcher::check(world.size())?;
    Ok(Started {
        ranks: Rc::new(World::new(world.duplicate(), level != Threading::Single)),
        _universe: universe,
    })
}
