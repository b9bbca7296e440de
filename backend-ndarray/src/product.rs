//! One computation under every layer with weights: a matrix product made of tiles, 16 columns wide, whose operands are
//! *gathered* by offsets instead of being copied.
//!
//! A tile computes `C[i][16 p + j] += sum A[rows[i] + s.a + k * a_step] * B[s.b + k * b_step + p * b_panel + j]` over the
//! runs `s` and `k < depth`, for one panel `p` or two. With pixels as rows and filter rows as runs this is a convolution on the image itself
//! (implicit GEMM: no im2col buffer); with filter taps as rows and image rows as runs it is that
//! convolution's weight gradient; with one run it is a dense layer.

mod finish;
#[cfg(test)]
mod tests;

pub use finish::{Finish, rectify};

use core::ops::Range;

use crate::{
    Number,
    kernel::{COLUMNS, Initial, MOST_PANELS, MOST_ROWS, MicroKernels, Operands, Runs},
    team::{Share, Team},
};

/// What the sums start from.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a, T> {
    Zero,
    /// What is in the target already.
    Existing,
    /// A value per column.
    Bias(&'a [T]),
}

/// Where a product goes: row `i`, column `j` to `out[rows[i] + j]`.
#[derive(Debug)]
pub struct Target<'a, T> {
    pub out: &'a mut [T],
    pub rows: &'a [u32],
    /// Columns to store; B is read in whole panels all the same.
    pub columns: usize,
    pub start: Start<'a, T>,
    pub finish: Finish,
}

/// Number of column panels of a matrix of `columns` columns.
pub const fn panels(columns: usize) -> usize {
    columns.div_ceil(COLUMNS)
}

/// Panels that are filled together, so that a row is read by several cache lines at a time.
const PANELS_A_TASK: usize = 4;

/// Rearranges a matrix that lies row by row into panels of [`COLUMNS`] columns, each `depth x COLUMNS`, the last filled up
/// with zeros.
pub fn pack_rows<'a, T: Number>(
    team: &Team,
    panels: &mut [T],
    matrix: impl ExactSizeIterator<Item = &'a [T]> + Clone + Sync,
) {
    let depth = matrix.len();
    panels.chunks_mut(PANELS_A_TASK * depth * COLUMNS).enumerate().share(team, |(task, panels)| {
        let panels = panels.as_chunks_mut::<COLUMNS>().0;
        for (k, row) in matrix.clone().enumerate() {
            let values = row[task * PANELS_A_TASK * COLUMNS..].chunks(COLUMNS);
            for (to, values) in panels[k..].iter_mut().step_by(depth).zip(values) {
                match values.first_chunk::<COLUMNS>() {
                    Some(values) => *to = *values,
                    None => {
                        let (given, missing) = to.split_at_mut(values.len());
                        given.copy_from_slice(values);
                        missing.fill(T::zero());
                    }
                }
            }
        }
    });
}

/// Rows of a panel that are filled before the next ones: they stay in the nearest cache while all their columns come.
const ROWS_AT_A_TIME: usize = 64;

/// [`pack_rows`] of a matrix of `columns` columns that lie in pieces of `rows` values: `piece(i, j)` is piece `i` of column `j`.
pub fn pack_columns<'a, T: Number>(
    team: &Team,
    panels: &mut [T],
    (pieces, rows, columns): (usize, usize, usize),
    piece: impl Fn(usize, usize) -> &'a [T] + Sync,
) {
    panels.chunks_mut(pieces * rows * COLUMNS).enumerate().share(team, |(p, panel)| {
        let first = p * COLUMNS;
        let width = COLUMNS.min(columns - first);
        for (i, lines) in panel.as_chunks_mut::<COLUMNS>().0.chunks_mut(rows).enumerate() {
            for (part, lines) in lines.chunks_mut(ROWS_AT_A_TIME).enumerate() {
                for j in 0..width {
                    let values = &piece(i, first + j)[part * ROWS_AT_A_TIME..];
                    lines.iter_mut().zip(values).for_each(|(to, &value)| to[j] = value);
                }
                lines.iter_mut().for_each(|to| to[width..].fill(T::zero()));
            }
        }
    });
}

/// Computes all panels of a product, all their rows.
///
/// `rows[i]` is the offset of row `i` into `a`; see the module's text for the formula. Sums run over the runs
/// in order, so a row's bits depend on nothing but its own operands.
///
/// # Panics
/// If an offset leads out of `a`, `b` or the target: the caller's tables are wrong.
pub fn product<T: Number>(
    kernels: &MicroKernels<T>,
    a: &[T],
    rows: &[u32],
    b: &[T],
    runs: Runs<'_>,
    target: Target<'_, T>,
) {
    let Target { out, rows: out_rows, columns, start, finish } = target;
    let largest = |rows: &[u32]| rows.iter().copied().max().map_or(0, |row| row as usize);
    assert_eq!(rows.len(), out_rows.len(), "a product needs as many target rows as rows");
    assert!(largest(rows) + runs.a_reach() <= a.len() || rows.is_empty(), "a product's rows lead out of A");
    assert!(runs.b_reach(panels(columns), COLUMNS) <= b.len(), "a product's runs lead out of B");
    if let Start::Bias(bias) = start {
        assert!(bias.len() >= columns, "a product's bias is too short");
    }
    assert!(largest(out_rows) + columns <= out.len() || rows.is_empty(), "a product leads out of its target");

    // As few tiles as can be, of about the same height: one of a row or two takes as long as one of many.
    let height = rows.len().div_ceil(rows.len().div_ceil(kernels.rows()).max(1)).max(1);
    let mut first = 0;
    while first < columns {
        let pair = kernels.pairs().filter(|_| columns - first >= MOST_PANELS * COLUMNS);
        let (tiles, width) = match pair {
            Some(pairs) => (pairs, MOST_PANELS * COLUMNS),
            None => (kernels.tiles(), COLUMNS),
        };
        let taken = first..columns.min(first + width);
        let mut start = start;
        let mut blocks = runs.list.chunks(runs.block.max(1)).peekable();
        let mut block = blocks.next().unwrap_or(&[]);
        loop {
            let finish = if blocks.peek().is_none() { finish } else { Finish::Nothing };
            for (rows, out_rows) in rows.chunks(height).zip(out_rows.chunks(height)) {
                let tile = |out: &mut [T], out_rows: &[u32], initial| {
                    let operands = Operands {
                        a: a.as_ptr(),
                        rows,
                        // Where there are no products it may lead out, and nothing is read.
                        b: b.as_ptr().wrapping_add(first / COLUMNS * runs.b_panel),
                        runs: block,
                        depth: runs.depth,
                        a_step: runs.a_step,
                        b_step: runs.b_step,
                        b_panel: runs.b_panel,
                        initial,
                        out: out.as_mut_ptr(),
                        out_rows,
                    };
                    // SAFETY: the largest row plus A's reach, B's reach with all panels, and the largest target row plus
                    // a tile's width are within their slices (asserted above, or by the size of `apart`), and
                    // reaches are maxima over all runs, of which `block` is a part. The initial row is as wide as a tile
                    // where it is used. The kernel is the one for so many rows and for the panels that are taken, and
                    // `MicroKernels` only use instructions that the machine has.
                    #[expect(unsafe_code, reason = "offsets were checked once for all tiles")]
                    unsafe {
                        tiles[rows.len() - 1](operands);
                    }
                };
                if taken.len() == width {
                    let initial = match start {
                        Start::Zero => Initial::Zero,
                        Start::Existing => Initial::Existing,
                        Start::Bias(bias) => Initial::Row(bias[taken.clone()].as_ptr()),
                    };
                    tile(&mut out[first..], out_rows, initial);
                    if finish != Finish::Nothing {
                        for &row in out_rows {
                            finish.apply(&mut out[row as usize..][taken.clone()]);
                        }
                    }
                } else {
                    apart(out, out_rows, taken.clone(), (start, finish), tile);
                }
            }
            match blocks.next() {
                Some(next) => block = next,
                None => break,
            }
            start = Start::Existing;
        }
        first += width;
    }
}

/// A tile of fewer columns than a panel: through a place of its own.
fn apart<T: Number>(
    out: &mut [T],
    out_rows: &[u32],
    columns: Range<usize>,
    (start, finish): (Start<'_, T>, Finish),
    tile: impl FnOnce(&mut [T], &[u32], Initial<T>),
) {
    let mut apart = [T::zero(); MOST_ROWS * COLUMNS];
    for (sums, &row) in apart.chunks_exact_mut(COLUMNS).zip(out_rows) {
        let sums = &mut sums[..columns.len()];
        match start {
            Start::Zero => {}
            Start::Existing => sums.copy_from_slice(&out[row as usize..][columns.clone()]),
            Start::Bias(bias) => sums.copy_from_slice(&bias[columns.clone()]),
        }
    }
    tile(&mut apart, &TILE_ROWS[..out_rows.len()], Initial::Existing);
    finish.apply(&mut apart);
    for (sums, &row) in apart.chunks_exact(COLUMNS).zip(out_rows) {
        out[row as usize..][columns.clone()].copy_from_slice(&sums[..columns.len()]);
    }
}

/// Rows of a tile that lies by itself.
const TILE_ROWS: [u32; MOST_ROWS] = {
    let mut rows = [0; MOST_ROWS];
    let mut i = 0;
    while i < MOST_ROWS {
        rows[i] = (i * COLUMNS) as u32;
        i += 1;
    }
    rows
};
