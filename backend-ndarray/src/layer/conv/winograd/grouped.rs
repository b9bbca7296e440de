//! Winograd's products for gradients of weights, each group of samples with sums of its own.

use super::{LANES, POSITIONS, Scratch, transform::Arrangement};
use crate::{
    Number,
    buffer::Buffer,
    kernel::{COLUMNS, Caches, MicroKernels, Run, Runs},
    layer::{
        GROUP, add_groups,
        conv::outer::{Operand, rows_in_lanes},
    },
    product::{Finish, Start, Target, product},
    team::{Share, Team},
};
use core::ops::Range;

/// Least tiles in a block, however large: they share reading and writing the sums.
const LEAST_TILES: usize = 128;
/// Most pairs of channels, per tile of a group, for which the group's sums are worth their memory and being added up.
const PAIRS_A_TILE: usize = 8;

/// Sums of outer products over all tiles, `C += A^T B` for each position, each group of samples for itself: whoever
/// fills in A and B multiplies them, while they are in its own cache, and nobody waits for others before the layer's
/// end.
pub struct GroupedProducts<T> {
    /// Of a sample.
    tiles: usize,
    /// Tiles whose A and B are filled in at a time, and how they lie.
    block: usize,
    arrangements: [Arrangement; 2],
    rows: usize,
    columns: usize,
    a_rows: Vec<u32>,
    c_rows: Vec<u32>,
    /// A block's A and B.
    scratch: Scratch<T>,
    /// Sums of each group.
    partials: Buffer<T>,
}

impl<T: Number> GroupedProducts<T> {
    /// Whether C is so small, beside what is added to it, that a group can have its own.
    pub const fn applies([inputs, outputs]: [usize; 2], tiles: usize) -> bool {
        inputs * outputs <= PAIRS_A_TILE * tiles * GROUP
    }

    /// For matrices C of `inputs x outputs`, and up to `batch` samples of `tiles` tiles each.
    pub fn new([inputs, outputs]: [usize; 2], tiles: usize, batch: usize) -> Self {
        // A block's patches and gradients in f32 should fit the second cache.
        let fitting = Caches::of_machine().second / (POSITIONS * (inputs + outputs) * size_of::<f32>());
        let block = fitting.max(LEAST_TILES).min(tiles * GROUP);
        let arrangements = [Arrangement::by_lanes(inputs, block), Arrangement::by_panels(outputs, block)];
        let [a, b] = arrangements.map(Arrangement::position_len);
        Self {
            tiles,
            block,
            arrangements,
            rows: inputs,
            columns: outputs,
            a_rows: rows_in_lanes(inputs, block),
            c_rows: (0..inputs).map(|row| (row * outputs) as u32).collect(),
            scratch: Scratch::new(POSITIONS * (a + b)),
            partials: Buffer::zeros(batch.div_ceil(GROUP) * POSITIONS * inputs * outputs),
        }
    }

    /// Overwrites `sums` (matrix after matrix) with the sums over all samples of the images `x` and `y`, given the elements
    /// of a sample of each. `fill` writes A or B of some of a group's tiles as its arrangement says, given the group's
    /// part of `x` or `y`; B's columns beyond the last stay zero.
    pub fn compute(
        &mut self,
        team: &Team,
        kernels: &MicroKernels<T>,
        (x, x_len): (&[T], usize),
        (y, y_len): (&[T], usize),
        fill: impl Fn(Operand, (&mut [T], Arrangement), &[T], Range<usize>) + Sync,
        sums: &mut [T],
    ) {
        self.scratch.prepare(team);
        let mut partials = core::mem::take(&mut self.partials);
        let [of_a, of_b] = self.arrangements;
        let (len, groups) = (sums.len(), (x.len() / x_len).div_ceil(GROUP));
        partials
            .chunks_exact_mut(len)
            .zip(x.chunks(GROUP * x_len).zip(y.chunks(GROUP * y_len)))
            .share_numbered(team, |member, (sums, (x, y))| {
                let tiles = x.len() / x_len * self.tiles;
                self.scratch.with(member, |scratch| {
                    let (a, b) = scratch.split_at_mut(POSITIONS * of_a.position_len());
                    for first in (0..tiles).step_by(self.block) {
                        let range = first..tiles.min(first + self.block);
                        let depth = range.len();
                        fill(Operand::A, (&mut *a, of_a), x, range.clone());
                        fill(Operand::B, (&mut *b, of_b), y, range);
                        let start = if first == 0 { Start::Zero } else { Start::Existing };
                        self.add(kernels, (a, b), depth, start, sums);
                    }
                });
            });
        add_groups(team, partials.chunks_exact(len).take(groups), sums);
        self.partials = partials;
    }

    /// Adds the products of `depth` tiles to a group's sums.
    fn add(
        &self,
        kernels: &MicroKernels<T>,
        (a, b): (&[T], &[T]),
        depth: usize,
        start: Start<'_, T>,
        sums: &mut [T],
    ) {
        let Self { arrangements: [of_a, of_b], rows, columns, .. } = *self;
        let run = [Run { a: 0, b: 0 }];
        let b_panel = COLUMNS * self.block;
        let runs = Runs { list: &run, depth, a_step: LANES, b_step: COLUMNS, b_panel, block: 1 };
        for (position, out) in sums.chunks_exact_mut(rows * columns).enumerate() {
            let (a, b) = (&a[position * of_a.position_len()..], &b[position * of_b.position_len()..]);
            let target = Target { out, rows: &self.c_rows, columns, start, finish: Finish::Nothing };
            product(kernels, a, &self.a_rows, b, runs, target);
        }
    }
}
