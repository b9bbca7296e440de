//! Convolution with 3x3 filters and stride 1 by the minimal filtering of Winograd, F(2x2, 3x3) (Lavin and Gray
//! 2016): 16 multiplications for a 2x2 tile of outputs where the definition takes 36.
//!
//! Each 4x4 patch `d` of the image becomes `B^T d B`, each filter `g` becomes `G g G^T`; their products, summed over
//! the channels by 16 small matrix products, become 2x2 outputs by `A^T m A`. The transforms only add and halve, so
//! errors stay near those of a plain sum (measured in the tests).

mod grouped;
mod transform;
mod weight_gradient;

pub use weight_gradient::WinogradWeightGradient;

use crate::{
    Number,
    buffer::Buffer,
    kernel::{COLUMNS, Caches, MicroKernels, Run, Runs},
    layer::samples_a_task,
    layout::Layout,
    product::{Finish, Start, Target, panels, product},
    team::{Share, Team},
};
use std::sync::Mutex;
pub use transform::LANES;
use transform::{Arrangement, load_patches, store_outputs};

/// Positions of a transformed patch.
const POSITIONS: usize = 16;
/// Weights of a filter between two channels.
const TAPS: usize = 9;

/// Whether the method applies to filters of this extent on these channels.
pub const fn applies(kernel: usize, stride: usize, inputs: usize, outputs: usize) -> bool {
    kernel == 3 && stride == 1 && inputs.is_multiple_of(LANES) && outputs.is_multiple_of(LANES)
}

/// Tiles of 2x2 pixels over an image, row by row, sample by sample.
#[derive(Clone, Copy)]
struct Tiles {
    rows: usize,
    columns: usize,
}

impl Tiles {
    const fn over(image: Layout) -> Self {
        Self { rows: image.shape.height.div_ceil(2), columns: image.shape.width.div_ceil(2) }
    }

    const fn a_sample(self) -> usize {
        self.rows * self.columns
    }

    /// Sample, row and column (in pixels) of a tile.
    const fn at(self, tile: usize) -> (usize, usize, usize) {
        let (sample, inside) = (tile / self.a_sample(), tile % self.a_sample());
        (sample, inside / self.columns * 2, inside % self.columns * 2)
    }
}

/// Tiles in a block: its patches and their products take, in f32, what the second cache holds besides filters.
fn block(channels: usize) -> usize {
    let fitting = Caches::of_machine().second / 16 * 5 / (POSITIONS * channels * size_of::<f32>());
    // Fewer would read the filters too often; these hold a 14x14 image, or three of 7x7.
    fitting.clamp(54, 96)
}

/// Working memory of each thread, so that a pass allocates nothing.
struct Scratch<T> {
    each: Vec<Mutex<Buffer<T>>>,
    len: usize,
}

impl<T: Number> Scratch<T> {
    const fn new(len: usize) -> Self {
        Self { each: Vec::new(), len }
    }

    /// One for each member of the team.
    fn prepare(&mut self, team: &Team) {
        let len = self.len;
        self.each.resize_with(team.members(), || Mutex::new(Buffer::zeros(len)));
    }

    /// Lends a member's.
    fn with<R>(&self, member: usize, work: impl FnOnce(&mut [T]) -> R) -> R {
        let own = &self.each[member];
        // What a panicking task left there is overwritten like everything else.
        let mut own = own.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        work(&mut own)
    }
}

/// A 3x3 convolution from one image to another.
pub struct Winograd<T> {
    source: Layout,
    target: Layout,
    padding: usize,
    tiles: Tiles,
    block: usize,
    /// Transformed filters: panels of [`COLUMNS`] outputs, in each for each position a matrix `inputs x COLUMNS`.
    filters: Buffer<T>,
    /// Offsets of a block's tiles in the patches and in the products.
    rows: [Vec<u32>; 2],
    /// How a block's patches and products lie.
    arrangements: [Arrangement; 2],
    scratch: Scratch<T>,
}

impl<T: Number> Winograd<T> {
    pub fn new(source: Layout, target: Layout, padding: usize) -> Self {
        let (inputs, outputs) = (source.shape.channels, target.shape.channels);
        let block = block(inputs + outputs);
        let [patches, products] = [inputs, outputs].map(|channels| Arrangement::by_tile(channels, block));
        Self {
            source,
            target,
            padding,
            tiles: Tiles::over(target),
            block,
            filters: Buffer::zeros(POSITIONS * panels(outputs) * inputs * COLUMNS),
            rows: [inputs, outputs].map(|channels| (0..block).map(|tile| (tile * channels) as u32).collect()),
            scratch: Scratch::new(POSITIONS * (patches.position_len() + products.position_len())),
            arrangements: [patches, products],
        }
    }

    /// Transforms the filters: `weight(r, s, input, output)`.
    pub fn prepare(&mut self, team: &Team, weight: impl Fn(usize, usize, usize, usize) -> T + Sync) {
        let (inputs, outputs) = (self.source.shape.channels, self.target.shape.channels);
        self.filters.chunks_exact_mut(POSITIONS * inputs * COLUMNS).enumerate().share(team, |(panel, to)| {
            let first = panel * COLUMNS;
            for input in 0..inputs {
                for column in (0..COLUMNS.min(outputs - first)).step_by(LANES) {
                    let mut filters = [[[T::zero(); LANES]; 3]; 3];
                    for (tap, lanes) in filters.as_flattened_mut().iter_mut().enumerate() {
                        for (lane, value) in lanes.iter_mut().enumerate() {
                            *value = weight(tap / 3, tap % 3, input, first + column + lane);
                        }
                    }
                    transform::store_filters(to, input * COLUMNS + column, inputs * COLUMNS, filters);
                }
            }
        });
        self.scratch.prepare(team);
    }

    /// Convolves after [`Winograd::prepare`].
    pub fn run(
        &self,
        team: &Team,
        kernels: &MicroKernels<T>,
        samples: usize,
        source: &[T],
        target: &mut [T],
        ends: (Start<'_, T>, Finish),
    ) {
        let (from, to) = (self.source.sample_len(), self.target.sample_len());
        // As many samples as fit in a block: larger tasks would only let members of the team end further apart.
        let task = (self.block / self.tiles.a_sample()).clamp(1, samples_a_task(self.target));
        target[..samples * to].chunks_mut(task * to).zip(source.chunks(task * from)).share_numbered(
            team,
            |member, (target, source)| {
                let tiles = target.len() / to * self.tiles.a_sample();
                // Blocks of one size, in whole tiles of the micro-kernel where that is no more blocks.
                let even = tiles.div_ceil(tiles.div_ceil(self.block));
                let block = even.next_multiple_of(kernels.rows()).min(self.block);
                self.scratch.with(member, |scratch| {
                    for first in (0..tiles).step_by(block) {
                        let count = block.min(tiles - first);
                        self.block(kernels, first, count, (source, &mut *target), scratch, ends);
                    }
                });
            },
        );
    }

    fn block(
        &self,
        kernels: &MicroKernels<T>,
        first: usize,
        count: usize,
        (source, target): (&[T], &mut [T]),
        scratch: &mut [T],
        ends: (Start<'_, T>, Finish),
    ) {
        let (inputs, outputs) = (self.source.shape.channels, self.target.shape.channels);
        let [of_patches, of_products] = self.arrangements;
        let (patches, products) = scratch.split_at_mut(POSITIONS * of_patches.position_len());
        load_patches(
            patches,
            of_patches,
            source,
            self.source,
            self.tiles,
            first..first + count,
            self.padding,
        );
        let run = [Run { a: 0, b: 0 }];
        // For each panel there are the matrices of all positions.
        let panel_len = inputs * COLUMNS;
        let b_panel = POSITIONS * panel_len;
        let runs = Runs { list: &run, depth: inputs, a_step: 1, b_step: COLUMNS, b_panel, block: 1 };
        for position in 0..POSITIONS {
            let a = &patches[position * of_patches.position_len()..];
            let out = &mut products[position * of_products.position_len()..];
            let b = &self.filters[position * panel_len..];
            let (start, finish) = (Start::Zero, Finish::Nothing);
            let target = Target { out, rows: &self.rows[1][..count], columns: outputs, start, finish };
            product(kernels, a, &self.rows[0][..count], b, runs, target);
        }
        let tiles = first..first + count;
        store_outputs(products, of_products, target, self.target, self.tiles, tiles, ends);
    }
}
