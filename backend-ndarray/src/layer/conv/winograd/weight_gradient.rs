use super::{
    POSITIONS, Scratch, Tiles, block,
    transform::{filter_gradient, load_gradients, load_patches},
};
use crate::{
    Scalar,
    kernel::{COLUMNS, MicroKernels, Run, Runs, Start, product_in_place},
    layout::Layout,
    team::{Share, Team},
};

/// Gradient of 3x3 filters: the transposes of the forward pass's transforms around 16 products of patches with
/// gradients, summed over tiles.
pub struct WinogradWeightGradient<T> {
    input: Layout,
    d_output: Layout,
    padding: usize,
    samples_a_share: usize,
    tiles: Tiles,
    block: usize,
    /// Each share's sums: for each position an `inputs x outputs` matrix.
    shares: Vec<T>,
    /// Offsets of the rows of such a matrix in the patches and in the sums.
    rows: [Vec<u32>; 2],
    scratch: Scratch<T>,
}

impl<T: Scalar> WinogradWeightGradient<T> {
    pub fn new(
        input: Layout,
        d_output: Layout,
        padding: usize,
        batch: usize,
        samples_a_share: usize,
    ) -> Self {
        let (inputs, outputs) = (input.shape.channels, d_output.shape.channels);
        let block = block(inputs + outputs);
        Self {
            input,
            d_output,
            padding,
            samples_a_share,
            tiles: Tiles::over(d_output),
            block,
            shares: vec![T::zero(); batch.div_ceil(samples_a_share) * POSITIONS * inputs * outputs],
            rows: [1, outputs].map(|step| (0..inputs).map(|row| (row * step) as u32).collect()),
            // The products read a tile's width past the last row.
            scratch: Scratch::new(POSITIONS * block * (inputs + outputs) + COLUMNS),
        }
    }

    /// Overwrites `d_weights` (rows x columns x inputs x outputs).
    pub fn compute(
        &mut self,
        team: &Team,
        kernels: &MicroKernels<T>,
        samples: usize,
        x: &[T],
        g: &[T],
        d_weights: &mut [T],
    ) {
        self.scratch.prepare(team);
        let mut shares = core::mem::take(&mut self.shares);
        let matrix = self.input.shape.channels * self.d_output.shape.channels;
        let used = samples.div_ceil(self.samples_a_share);
        shares.chunks_exact_mut(POSITIONS * matrix).take(used).enumerate().share_numbered(
            team,
            |member, (i, sums)| {
                let first = i * self.samples_a_share;
                let samples = self.samples_a_share.min(samples - first);
                let (x, g) =
                    (&x[first * self.input.sample_len()..], &g[first * self.d_output.sample_len()..]);
                sums.fill(T::zero());
                self.share(member, kernels, samples * self.tiles.a_sample(), x, g, sums);
            },
        );
        for at in 0..matrix {
            let sums = core::array::from_fn(|position| {
                let at = position * matrix + at;
                shares.chunks_exact(POSITIONS * matrix).take(used).map(|share| share[at]).sum()
            });
            for (tap, value) in filter_gradient::<T>(sums).as_flattened().iter().enumerate() {
                d_weights[tap * matrix + at] = *value;
            }
        }
        self.shares = shares;
    }

    fn share(
        &self,
        member: usize,
        kernels: &MicroKernels<T>,
        tiles: usize,
        x: &[T],
        g: &[T],
        sums: &mut [T],
    ) {
        let (inputs, outputs) = (self.input.shape.channels, self.d_output.shape.channels);
        let run = [Run { a: 0, b: 0 }];
        self.scratch.with(member, |scratch| {
            let (patches, gradients) = scratch.split_at_mut(POSITIONS * self.block * inputs);
            for first in (0..tiles).step_by(self.block) {
                let count = self.block.min(tiles - first);
                self.load(first, count, (x, g), patches, gradients);
                let runs = Runs { list: &run, depth: count, a_step: inputs, b_step: outputs, block: 1 };
                for (position, out) in sums.chunks_exact_mut(inputs * outputs).enumerate() {
                    let a = &patches[position * self.block * inputs..];
                    let b = &gradients[position * self.block * outputs..];
                    let [rows, targets] = &self.rows;
                    let out = (out, &targets[..]);
                    product_in_place(kernels, a, rows, b, runs, out, outputs, Start::Existing);
                }
            }
        });
    }

    /// Transforms a block of patches and gradients.
    fn load(&self, first: usize, count: usize, (x, g): (&[T], &[T]), patches: &mut [T], gradients: &mut [T]) {
        let (inputs, outputs) = (self.input.shape.channels, self.d_output.shape.channels);
        let at = |channels: usize| (channels, self.block * channels);
        let tiles = first..first + count;
        load_patches(patches, at(inputs), x, self.input, self.tiles, tiles.clone(), self.padding);
        load_gradients(gradients, at(outputs), g, self.d_output, self.tiles, tiles);
    }
}
