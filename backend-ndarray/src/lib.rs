//! Networks on the CPU behind `sam-core`'s gradient oracle.
