//! The gradient of 3x3 filters by Winograd's algorithm.

use super::{
    POSITIONS, TAPS, Tiles,
    grouped::GroupedProducts,
    transform::{Arrangement, load_gradients, load_patches, store_filter_gradients},
};
use crate::{
    Number,
    buffer::Buffer,
    kernel::MicroKernels,
    layer::conv::outer::{Operand, OuterProducts},
    layout::Layout,
    team::{Share, Team},
};
use core::{ops::Range, slice::ChunksMut};

/// Pairs of channels whose gradients one task transforms back.
const WEIGHTS_A_TASK: usize = 1024;

/// Gradient of 3x3 filters: the transposes of the forward pass's transforms around 16 products of patches with
/// gradients, summed over tiles.
pub struct WinogradWeightGradient<T> {
    input: Layout,
    d_output: Layout,
    padding: usize,
    tiles: Tiles,
    products: Products<T>,
    /// For each position an `inputs x outputs` matrix.
    sums: Buffer<T>,
}

/// Where the products are added up.
enum Products<T> {
    /// Few channels: each group of samples has sums of its own.
    Grouped(GroupedProducts<T>),
    /// Many: all members of the team work on one set of sums. And how a sample's patches and gradients lie.
    Shared(OuterProducts<T>, [Arrangement; 2]),
}

impl<T: Number> WinogradWeightGradient<T> {
    pub fn new(input: Layout, d_output: Layout, padding: usize, batch: usize) -> Self {
        let (inputs, outputs) = (input.shape.channels, d_output.shape.channels);
        let tiles = Tiles::over(d_output);
        let count = tiles.a_sample();
        let products = if GroupedProducts::<T>::applies([inputs, outputs], count) {
            Products::Grouped(GroupedProducts::new([inputs, outputs], count, batch))
        } else {
            let arrangements = [Arrangement::by_lanes(inputs, count), Arrangement::by_panels(outputs, count)];
            let lens = arrangements.map(Arrangement::position_len);
            let products = OuterProducts::new(POSITIONS, count, [inputs, outputs], lens, batch);
            Products::Shared(products, arrangements)
        };
        let sums = Buffer::zeros(POSITIONS * inputs * outputs);
        Self { input, d_output, padding, tiles, products, sums }
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
        let Self { input, d_output, padding, tiles, .. } = *self;
        let x = (&x[..samples * input.sample_len()], input.sample_len());
        let g = (&g[..samples * d_output.sample_len()], d_output.sample_len());
        let fill = |operand, (to, arrangement): (&mut [T], _), from: &[T], range: Range<usize>| match operand
        {
            Operand::A => load_patches(to, arrangement, from, input, tiles, range, padding),
            Operand::B => load_gradients(to, arrangement, from, d_output, tiles, range),
        };
        match &mut self.products {
            Products::Grouped(products) => products.compute(team, kernels, x, g, fill, &mut self.sums),
            Products::Shared(products, [of_patches, of_gradients]) => {
                let fill = |operand, to: &mut [T], from: &[T]| {
                    let arrangement = match operand {
                        Operand::A => *of_patches,
                        Operand::B => *of_gradients,
                    };
                    fill(operand, (to, arrangement), from, 0..tiles.a_sample());
                };
                products.compute(team, kernels, x, g, fill, &mut self.sums);
            }
        }
        let len = self.sums.len() / POSITIONS;
        Together::new(d_weights, len, WEIGHTS_A_TASK).enumerate().share(team, |(task, taps)| {
            store_filter_gradients(&self.sums[task * WEIGHTS_A_TASK..], len, taps);
        });
    }
}

/// The same part of the matrices of all taps, part after part.
struct Together<'a, T>([ChunksMut<'a, T>; TAPS]);

impl<'a, T> Together<'a, T> {
    /// Parts of up to `part` elements of matrices of `len`.
    fn new(matrices: &'a mut [T], len: usize, part: usize) -> Self {
        let mut matrices = matrices.chunks_exact_mut(len);
        Self([(); TAPS].map(|()| matrices.next().unwrap_or_default().chunks_mut(part)))
    }

    fn each(
        &mut self,
        take: impl Fn(&mut ChunksMut<'a, T>) -> Option<&'a mut [T]>,
    ) -> Option<[&'a mut [T]; TAPS]> {
        let mut parts = [(); TAPS].map(|()| <&mut [T]>::default());
        for (part, matrix) in parts.iter_mut().zip(&mut self.0) {
            *part = take(matrix)?;
        }
        Some(parts)
    }
}

impl<'a, T> Iterator for Together<'a, T> {
    type Item = [&'a mut [T]; TAPS];

    fn next(&mut self) -> Option<Self::Item> {
        self.each(ChunksMut::next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0[0].size_hint()
    }
}

impl<T> DoubleEndedIterator for Together<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.each(ChunksMut::next_back)
    }
}

impl<T> ExactSizeIterator for Together<'_, T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sam_model::Shape;

    /// Images of noise with a halo of zeros.
    fn images(layout: Layout, samples: usize, state: &mut u64) -> Vec<f64> {
        let mut values = vec![0.0; samples * layout.sample_len()];
        for sample in values.chunks_exact_mut(layout.sample_len()) {
            for value in layout.rows_mut(sample).flatten() {
                *state =
                    state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *value = (*state >> 40) as f64 / f64::from(1 << 24) - 0.5;
            }
        }
        values
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

        /// Blocks of tiles, groups of samples and chunks of both begin and end anywhere.
        #[test]
        fn it_is_the_sum_over_all_pixels(
            (height, width, samples) in (3usize..24, 3usize..24, 1usize..20),
            (inputs, outputs) in prop::sample::select(vec![(8, 8), (16, 24), (40, 56)]),
            members in 1usize..4,
        ) {
            let layout = |channels| Layout { shape: Shape::new(height, width, channels), halo: 1 };
            let (input, d_output) = (layout(inputs), layout(outputs));
            let mut state = samples as u64;
            let [x, g] = [input, d_output].map(|layout| images(layout, samples, &mut state));
            let mut found = vec![f64::NAN; 9 * inputs * outputs];
            let team = Team::new(members).unwrap();
            WinogradWeightGradient::new(input, d_output, 1, samples)
                .compute(&team, &f64::kernels(), samples, &x, &g, &mut found);

            let mut expected = vec![0.0; found.len()];
            for (x, g) in x.chunks_exact(input.sample_len()).zip(g.chunks_exact(d_output.sample_len())) {
                for (tap, expected) in expected.chunks_exact_mut(inputs * outputs).enumerate() {
                    for pixel in 0..height * width {
                        let (row, column) = ((pixel / width) as isize, (pixel % width) as isize);
                        let (r, s) = ((tap / 3) as isize - 1, (tap % 3) as isize - 1);
                        let g = &g[d_output.pixel(row, column)..][..outputs];
                        for (i, sums) in expected.chunks_exact_mut(outputs).enumerate() {
                            let x = x[input.pixel(row + r, column + s) + i];
                            sums.iter_mut().zip(g).for_each(|(sum, g)| *sum += x * g);
                        }
                    }
                }
            }
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found - expected).abs() < 1e-11, "{} instead of {}", found, expected);
            }
        }
    }
}
