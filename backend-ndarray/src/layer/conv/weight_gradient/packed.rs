//! The gradient of a convolution's weights, from copies in the micro-kernel's order.

use crate::{
    Number,
    kernel::{COLUMNS, MicroKernels},
    layer::conv::{
        Filters, Layouts,
        outer::{Operand, OuterProducts},
        winograd::LANES,
    },
    team::Team,
    wide::wide,
};

/// Smaller gradients are faster computed in place: the copies are read too few times.
const LEAST_WEIGHTS: usize = 16 * 1024;

/// Gradient of the weights from copies of the patches and gradients of a few samples at a time, which lie as the
/// micro-kernel reads them: for filters so large that the copies are read many times.
pub struct PackedWeightGradient<T> {
    filters: Filters,
    layouts: Layouts,
    products: OuterProducts<T>,
}

impl<T: Number> PackedWeightGradient<T> {
    /// Whether patches can be copied by whole lanes, and it pays.
    pub const fn applies(filters: &Filters) -> bool {
        filters.weights() >= LEAST_WEIGHTS && (filters.kernel * filters.inputs).is_multiple_of(LANES)
    }

    pub fn new(filters: Filters, layouts: Layouts, batch: usize) -> Self {
        let Filters { kernel, inputs, outputs, .. } = filters;
        let shape = layouts.d_output.shape;
        let (rows, points) = (kernel * kernel * inputs, shape.height * shape.width);
        let lens = OuterProducts::<T>::matrix_lens(points, rows, outputs);
        let products = OuterProducts::new(1, points, [rows, outputs], lens, batch);
        Self { filters, layouts, products }
    }

    /// Overwrites `d_weights`.
    pub fn compute(
        &mut self,
        team: &Team,
        kernels: &MicroKernels<T>,
        samples: usize,
        x: &[T],
        g: &[T],
        d_weights: &mut [T],
    ) {
        let Self { filters, layouts, .. } = *self;
        let (x_len, g_len) = (layouts.input.sample_len(), layouts.d_output.sample_len());
        self.products.compute(
            team,
            kernels,
            (&x[..samples * x_len], x_len),
            (&g[..samples * g_len], g_len),
            |operand, to, from| match operand {
                Operand::A => copy_patches(to, from, filters, layouts),
                Operand::B => copy_gradients(to, from, layouts),
            },
            d_weights,
        );
    }
}

wide! {
/// Copies each pixel's patch in lanes: eight of its values after eight, for all pixels.
fn copy_patches(to: &mut [T], x: &[T], filters: Filters, layouts: Layouts) {
    let Filters { kernel, inputs, .. } = filters;
    let shape = layouts.d_output.shape;
    let points = shape.height * shape.width;
    let to = to.as_chunks_mut::<LANES>().0;
    let lanes = kernel * inputs / LANES;
    for y in 0..shape.height {
        for column in 0..shape.width {
            let point = y * shape.width + column;
            for r in 0..kernel {
                let from = filters.origin(layouts.input, [y, column]) + r * layouts.input.row_stride();
                for (lane, values) in x[from..][..lanes * LANES].as_chunks::<LANES>().0.iter().enumerate() {
                    to[(r * lanes + lane) * points + point] = *values;
                }
            }
        }
    }
}
}

wide! {
/// Copies the gradient in panels of [`COLUMNS`] channels; what is missing in the last stays as it is.
fn copy_gradients(to: &mut [T], g: &[T], layouts: Layouts) {
    let layout = layouts.d_output;
    let points = layout.shape.height * layout.shape.width;
    let pixels = layout.rows(g).flat_map(|row| row.chunks_exact(layout.shape.channels));
    for (point, pixel) in pixels.enumerate() {
        for (panel, values) in pixel.chunks(COLUMNS).enumerate() {
            to[(panel * points + point) * COLUMNS..][..values.len()].copy_from_slice(values);
        }
    }
}
}
