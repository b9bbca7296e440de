//! A tensor as a vector.

use super::{Backward, Forward, Layer};
use crate::{Scalar, layout::Layout, team::Share};

/// Drops the halo and forgets the pixels.
pub struct Flatten {
    pub input: Layout,
    pub d_input: Layout,
}

impl<T: Scalar> Layer<T> for Flatten {
    fn forward(&mut self, pass: Forward<'_, T>) {
        let (input, len) = (self.input, self.input.shape.len());
        pass.output
            .chunks_exact_mut(len)
            .zip(pass.input.chunks_exact(input.sample_len()))
            .take(pass.samples)
            .share(pass.team, |(to, from)| {
                for (to, from) in to.chunks_exact_mut(input.row_len()).zip(input.rows(from)) {
                    to.copy_from_slice(from);
                }
            });
    }

    fn backward(&mut self, pass: Backward<'_, T>) {
        let Some(to) = pass.d_input else { return };
        let (layout, len) = (self.d_input, self.d_input.shape.len());
        to.values
            .chunks_exact_mut(layout.sample_len())
            .zip(pass.d_output.chunks_exact(len))
            .take(pass.samples)
            .share(pass.team, |(sample, from)| {
                for (row, from) in layout.rows_mut(sample).zip(from.chunks_exact(layout.row_len())) {
                    super::put(row, from.iter().copied(), to.accumulate);
                }
            });
    }
}
