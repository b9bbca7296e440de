//! A panic of one rank ends all of them.

use std::{panic, process, thread};

use mpi::{topology::SimpleCommunicator, traits::Communicator};

/// The exit code of a program that panicked.
const EXIT_CODE: i32 = 101;

/// After its message a panic ends the processes of all ranks. Unwinding would end in `MPI_Finalize`, which waits for the
/// others, which wait for this one.
pub fn end_all_ranks() {
    let main = thread::current().id();
    let message = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        message(info);
        if thread::current().id() == main {
            SimpleCommunicator::world().abort(EXIT_CODE);
        }
        // Another thread may not call MPI: the launcher ends the others when this process ends so.
        process::abort();
    }));
}
