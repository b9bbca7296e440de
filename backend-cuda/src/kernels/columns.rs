//! How the kernels that sum over pixels are launched: the host's side of `kernels/columns.cuh`.

use crate::{Grid, element::Element};

/// Channels of a block.
const CHANNELS: usize = 32;
/// Rows that a block reads at a time.
const LANES: usize = 8;
/// Threads of a block that has one for each of its channels.
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

/// One block for each chunk and each group of channels, of threads that read sixteen bytes of channels at a time: the host's side of
/// `kernels/groups.cuh`.
pub(crate) const fn sweep(rows: usize, channels: usize, element: Element) -> Grid {
    across(chunks(rows), channels, element)
}

/// The same with one for each of `parts` and each group of channels.
pub(crate) const fn across(parts: usize, channels: usize, element: Element) -> Grid {
    let threads = CHANNELS * LANES * element.bytes() / 16;
    Grid::new([parts as u32, columns(channels) as u32, 1], threads as u32)
}

/// One block for each group of channels.
pub(crate) const fn finish(channels: usize) -> Grid {
    Grid::new([1, columns(channels) as u32, 1], THREADS)
}
