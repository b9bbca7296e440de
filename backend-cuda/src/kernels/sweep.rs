//! How the kernels that sweep over parameters and gradients are launched: the host's side of the constants in `kernels/norm.cuh`,
//! `check.cu`, `products.cu` and `segmented_ascend.cu`.

/// Entries that one block works on.
pub(crate) const CHUNK: u32 = 4096;
/// Threads of a block.
pub(crate) const THREADS: u32 = 256;
