//! The program under a launcher, on this machine: equal weights for any number of ranks, and what becomes of a run when one
//! of them fails. The launcher is `mpirun`, or what `SAM_MPIRUN` names.

#![allow(clippy::unwrap_used)]

mod equality;
mod faults;
mod launch;
