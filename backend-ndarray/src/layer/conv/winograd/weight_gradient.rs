use super::{
    POSITIONS, Tiles,
    transform::{Arrangement, load_gradients, load_patches, store_filter_gradients},
};
use crate::{Scalar, kernel::MicroKernels, layer::conv::outer::OuterProducts, layout::Layout, team::Team};

/// Gradient of 3x3 filters: the transposes of the forward pass's transforms around 16 products of patches with
/// gradients, summed over tiles.
pub struct WinogradWeightGradient<T> {
    input: Layout,
    d_output: Layout,
    padding: usize,
    tiles: Tiles,
    /// How a sample's patches and gradients lie.
    arrangements: [Arrangement; 2],
    products: OuterProducts<T>,
    /// For each position an `inputs x outputs` matrix.
    sums: Vec<T>,
}

impl<T: Scalar> WinogradWeightGradient<T> {
    pub fn new(input: Layout, d_output: Layout, padding: usize, batch: usize) -> Self {
        let (inputs, outputs) = (input.shape.channels, d_output.shape.channels);
        let tiles = Tiles::over(d_output);
        let count = tiles.a_sample();
        let arrangements = [Arrangement::by_lanes(inputs, count), Arrangement::by_panels(outputs, count)];
        let lens = arrangements.map(Arrangement::position_len);
        Self {
            input,
            d_output,
            padding,
            tiles,
            arrangements,
            products: OuterProducts::new(POSITIONS, count, [inputs, outputs], lens, batch),
            sums: vec![T::zero(); POSITIONS * inputs * outputs],
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
        let Self { input, d_output, padding, tiles, arrangements: [of_patches, of_gradients], .. } = *self;
        let all = 0..tiles.a_sample();
        self.products.compute(
            team,
            kernels,
            (&x[..samples * input.sample_len()], input.sample_len()),
            (&g[..samples * d_output.sample_len()], d_output.sample_len()),
            |patches, gradients, x, g| {
                load_patches(patches, of_patches, x, input, tiles, all.clone(), padding);
                load_gradients(gradients, of_gradients, g, d_output, tiles, all.clone());
            },
            &mut self.sums,
        );
        store_filter_gradients(&self.sums, d_weights, self.sums.len() / POSITIONS);
    }
}
