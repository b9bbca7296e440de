//! How the kernels that sum over pixels are launched: the host's side of `kernels/columns.cuh`.

use crate::Grid;

/// Channels of a block.
const CHANNELS: usize = 32;
/// Threads of a block.
pub(crate) const THREADS: u32 = 256;
/// Rows of a block.
pub(crate) const CHUNK: usize = 512;

/// Blocks that one channel's rows are cut into.
pub(crate) const fn chunks(rows: usize) -> usize {
    rows.div_ceil(CHUNK)
}

/// Groups of channels that a block has one of.
pub(crate) const fn columns(channels: usize) -> usize {
    channels.div_ceil(CHANNELS)
}

/// One block for each chunk and each group of channels.
pub(crate) const fn sweep(rows: usize, channels: usize) -> Grid {
    Grid::new([chunks(rows) as u32, columns(channels) as u32, 1], THREADS)
}

/// One block for each group of channels.
pub(crate) const fn finish(channels: usize) -> Grid {
    Grid::new([1, columns(channels) as u32, 1], THREADS)
}
