//! An image's pixels as rows of a product.

use super::GROUP;
use crate::{
    Number,
    buffer::Buffer,
    kernel::{COLUMNS, Caches, MicroKernels, Run, Runs},
    product::{Finish, Start, Target, panels, product},
};

/// Bytes of B that a block of runs may take in f32: most of the nearest cache.
fn block_bytes() -> usize {
    Caches::of_machine().first / 4 * 3
}

/// Pixels as rows of a product: each output value is a sum over patches of an image, the same pattern of runs at
/// every pixel.
pub struct Gather {
    rows: Vec<u32>,
    out_rows: Vec<u32>,
    pixels: usize,
    runs: Vec<Run>,
    run_depth: usize,
    block: usize,
}

impl Gather {
    /// `pixels` are offsets of each pixel of one sample in the source and the target, `sample_len` what separates
    /// samples there. Patch row `i` starts at offset `patch_rows[i]` and takes `columns` pixels of `channels`.
    pub fn new(
        pixels: impl Iterator<Item = (usize, usize)>,
        sample_len: [usize; 2],
        patch_rows: impl Iterator<Item = usize>,
        columns: usize,
        channels: usize,
    ) -> Self {
        let (sources, targets): (Vec<usize>, Vec<usize>) = pixels.unzip();
        let all = |offsets: &[usize], sample_len: usize| -> Vec<u32> {
            (0..GROUP).flat_map(|s| offsets.iter().map(move |at| (s * sample_len + at) as u32)).collect()
        };
        // A whole row of a patch is one run, unless its part of B alone would fill the cache.
        let block_bytes = block_bytes();
        let whole = columns * channels * COLUMNS * 4 <= block_bytes;
        let (run_depth, runs_a_row) = if whole { (columns * channels, 1) } else { (channels, columns) };
        let starts = patch_rows.flat_map(|start| (0..runs_a_row).map(move |i| start + i * run_depth));
        let runs = starts
            .enumerate()
            .map(|(i, a)| Run { a: a as u32, b: (i * run_depth * COLUMNS) as u32 })
            .collect();
        Self {
            rows: all(&sources, sample_len[0]),
            out_rows: all(&targets, sample_len[1]),
            pixels: sources.len(),
            runs,
            run_depth,
            block: (block_bytes / (run_depth * COLUMNS * 4).max(1)).max(1),
        }
    }

    /// Products in one sum.
    pub fn depth(&self) -> usize {
        self.runs.len() * self.run_depth
    }

    /// Room for B, packed, with so many columns.
    pub fn panels<T: Number>(&self, columns: usize) -> Buffer<T> {
        Buffer::zeros(panels(columns) * self.depth() * COLUMNS)
    }

    /// Computes `columns` channels of each pixel of up to [`GROUP`] samples.
    #[expect(clippy::too_many_arguments, reason = "the operands of a matrix product")]
    pub fn multiply<T: Number>(
        &self,
        kernels: &MicroKernels<T>,
        samples: usize,
        a: &[T],
        packed: &[T],
        out: &mut [T],
        columns: usize,
        (start, finish): (Start<'_, T>, Finish),
    ) {
        let rows = samples * self.pixels;
        let runs = Runs {
            list: &self.runs,
            depth: self.run_depth,
            a_step: 1,
            b_step: COLUMNS,
            b_panel: self.depth() * COLUMNS,
            block: self.block,
        };
        let target = Target { out, rows: &self.out_rows[..rows], columns, start, finish };
        product(kernels, a, &self.rows[..rows], packed, runs, target);
    }
}
