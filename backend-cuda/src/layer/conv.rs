#![allow(unsafe_code, reason = "launches of kernels")]

#[cfg(test)]
mod tests;

use bytemuck::{Pod, Zeroable};
use sam_core::model::Shape;

use super::{
    Backward, Divisor, Forward, Layer,
    sums::{chunks, finish, sweep},
};
use crate::{CudaError, Grid, Kernel, Precision, Ptr, PtrMut};

/// The geometry of a convolution: the host's side of `kernels/conv.cuh`.
#[derive(Clone, Copy, Debug, Zeroable, Pod)]
#[repr(C)]
pub(crate) struct ConvShape {
    samples: u32,
    height: u32,
    width: u32,
    channels: u32,
    out_height: u32,
    out_width: u32,
    filters: u32,
    kernel: u32,
    padding: u32,
    by_stride: Divisor,
    by_kernel: Divisor,
    by_channels: Divisor,
    by_filters: Divisor,
    by_width: Divisor,
    by_pixels: Divisor,
    by_out_width: Divisor,
    by_out_pixels: Divisor,
}

// SAFETY: the kernels' struct has the same fields.
unsafe impl crate::Argument for ConvShape {}

/// Rows and columns that a block of threads computes: `kernels/tile.cuh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tile {
    Wide,
    Narrow,
}

impl Tile {
    /// Threads of a block; on tensor cores a warp has 32 rows and 32 columns of a wide tile, 32 and 16 of a narrow one.
    const fn threads(self, precision: Precision) -> u32 {
        match (self, precision) {
            (Self::Narrow, _) | (Self::Wide, Precision::Single) => 128,
            (Self::Wide, Precision::Tf32 | Precision::Bf16) => 256,
        }
    }

    /// The wide one where most of it is used.
    const fn of(rows: usize, columns: usize) -> Self {
        if rows >= 512 && columns >= 48 { Self::Wide } else { Self::Narrow }
    }

    const fn tiles(self, rows: usize, columns: usize) -> [usize; 2] {
        let (tall, wide) = match self {
            Self::Wide => (128, 64),
            Self::Narrow => (64, 32),
        };
        [rows.div_ceil(tall), columns.div_ceil(wide)]
    }
}

/// Convolution, and the dense layer as the convolution of a 1x1 image. Parameters are
/// `[filters row by row (rows, columns, channels, filters), bias]`.
///
/// All three products are implicit: no patches of the size of the activations are ever written.
pub(crate) struct Conv {
    shape: ConvShape,
    pixels: usize,
    out_pixels: usize,
    bias: bool,
    precision: Precision,
}

impl Conv {
    pub fn new(
        input: Shape,
        output: Shape,
        kernel: usize,
        stride: usize,
        padding: usize,
        bias: bool,
    ) -> Self {
        let shape = ConvShape {
            samples: 0,
            height: input.height as u32,
            width: input.width as u32,
            channels: input.channels as u32,
            out_height: output.height as u32,
            out_width: output.width as u32,
            filters: output.channels as u32,
            kernel: kernel as u32,
            padding: padding as u32,
            by_stride: Divisor::new(stride),
            by_kernel: Divisor::new(kernel),
            by_channels: Divisor::new(input.channels),
            by_filters: Divisor::new(output.channels),
            by_width: Divisor::new(input.width),
            by_pixels: Divisor::new(input.pixels()),
            by_out_width: Divisor::new(output.width),
            by_out_pixels: Divisor::new(output.pixels()),
        };
        Self {
            shape,
            pixels: input.pixels(),
            out_pixels: output.pixels(),
            bias,
            precision: Precision::Single,
        }
    }

    /// The kernel for a tile, the wide one first, in the layer's precision: single, or TF32 or bfloat16 where there are tensor
    /// cores. `set_precision` has seen to it that there are.
    fn kernel<'a, A>(
        &self,
        tile: Tile,
        single: [&'a Kernel<A>; 2],
        tensor: Option<[[&'a Kernel<A>; 2]; 2]>,
    ) -> &'a Kernel<A> {
        let [wide, narrow] = match (self.precision, tensor) {
            (Precision::Tf32, Some([tf32, _])) => tf32,
            (Precision::Bf16, Some([_, bf16])) => bf16,
            _ => single,
        };
        match tile {
            Tile::Wide => wide,
            Tile::Narrow => narrow,
        }
    }

    fn of(&self, samples: usize) -> ConvShape {
        ConvShape { samples: samples as u32, ..self.shape }
    }

    /// Values of the filters.
    fn weights(&self) -> usize {
        self.patch() * self.shape.filters as usize
    }

    /// Values of a filter.
    fn patch(&self) -> usize {
        (self.shape.kernel * self.shape.kernel * self.shape.channels) as usize
    }

    /// How the depth of the weight gradient's product is cut: tile, number of slices, pixels of a slice. Enough slices
    /// to occupy a large card, whatever the card is, so that the bits are the same on all.
    fn slices(&self, samples: usize) -> (Tile, usize, usize) {
        const BLOCKS: usize = 256;
        const FEWEST_PIXELS: usize = 256;
        const DEPTH: usize = 16;
        let (rows, columns, pixels) = (self.patch(), self.shape.filters as usize, samples * self.out_pixels);
        let tile = if rows >= 128 && columns >= 48 { Tile::Wide } else { Tile::Narrow };
        let [down, across] = tile.tiles(rows, columns);
        let wanted = BLOCKS.div_ceil(down * across).min(pixels.div_ceil(FEWEST_PIXELS)).max(1);
        let slice = pixels.div_ceil(wanted).next_multiple_of(DEPTH);
        (tile, pixels.div_ceil(slice), slice)
    }

    fn weight_gradient(&self, pass: &Backward<'_>) -> Result<(), CudaError> {
        let kernels = pass.device.kernels();
        let (tile, slices, slice) = self.slices(pass.samples);
        let (rows, columns) = (self.patch(), self.shape.filters as usize);
        let [down, across] = tile.tiles(rows, columns);
        let to: PtrMut<f32> = if slices == 1 { pass.grads } else { pass.scratch.cast() };
        let arguments = (pass.input, pass.d_output, self.of(pass.samples), slice as u32, to);
        let grid = Grid::new([down as u32, across as u32, slices as u32], tile.threads(self.precision));
        let single = [&kernels.conv_weight_gradient_wide, &kernels.conv_weight_gradient_narrow];
        let tensor = pass.device.tensor_kernels().map(|tensor| {
            [
                [&tensor.conv_weight_gradient_wide_tf32, &tensor.conv_weight_gradient_narrow_tf32],
                [&tensor.conv_weight_gradient_wide_bf16, &tensor.conv_weight_gradient_narrow_bf16],
            ]
        });
        let kernel = self.kernel(tile, single, tensor);
        // SAFETY: input and gradient are of so many samples, and there is room for each slice's filters.
        unsafe { pass.device.launch(kernel, grid, arguments)? };
        if slices == 1 {
            return Ok(());
        }
        let n = self.weights() as u32;
        let sum = (to.reading(), n, slices as u32, pass.grads);
        // SAFETY: as above; the layer's gradients begin with those of the filters.
        unsafe { pass.device.launch(&kernels.sum_slices, Grid::over(n), sum) }
    }

    fn bias_gradient(&self, pass: &Backward<'_>) -> Result<(), CudaError> {
        let kernels = pass.device.kernels();
        let (rows, channels) = (pass.samples * self.out_pixels, self.shape.filters as usize);
        let sums = (pass.d_output, rows as u32, channels as u32, pass.scratch);
        // SAFETY: the gradient has rows times channels values, the scratch memory a place for each chunk and channel.
        unsafe { pass.device.launch(&kernels.bias_gradient_sums, sweep(rows, channels), sums)? };
        let to = pass.grads.add(self.weights());
        let arguments = (pass.scratch.reading(), chunks(rows) as u32, channels as u32, to);
        // SAFETY: as above; the bias's gradients follow those of the filters.
        unsafe { pass.device.launch(&kernels.bias_gradient_finish, finish(channels), arguments) }
    }
}

impl Layer for Conv {
    fn set_precision(&mut self, precision: Precision) {
        self.precision = precision;
    }

    fn forward(&mut self, pass: Forward<'_>) -> Result<(), CudaError> {
        let kernels = pass.device.kernels();
        let (rows, columns) = (pass.samples * self.out_pixels, self.shape.filters as usize);
        let tile = Tile::of(rows, columns);
        let [down, across] = tile.tiles(rows, columns);
        let bias = if self.bias { pass.params.add(self.weights()) } else { Ptr::NULL };
        let arguments = (pass.input, pass.params, bias, self.of(pass.samples), pass.output);
        let grid = Grid::new([down as u32, across as u32, 1], tile.threads(self.precision));
        let single = [&kernels.conv_forward_wide, &kernels.conv_forward_narrow];
        let tensor = pass.device.tensor_kernels().map(|tensor| {
            [
                [&tensor.conv_forward_wide_tf32, &tensor.conv_forward_narrow_tf32],
                [&tensor.conv_forward_wide_bf16, &tensor.conv_forward_narrow_bf16],
            ]
        });
        let kernel = self.kernel(tile, single, tensor);
        // SAFETY: input and output are of so many samples, the parameters the layer's own.
        unsafe { pass.device.launch(kernel, grid, arguments) }
    }

    fn backward(&mut self, pass: Backward<'_>) -> Result<(), CudaError> {
        self.weight_gradient(&pass)?;
        if self.bias {
            self.bias_gradient(&pass)?;
        }
        let Some(to) = pass.d_input else { return Ok(()) };
        let kernels = pass.device.kernels();
        let (rows, columns) = (pass.samples * self.pixels, self.shape.channels as usize);
        let tile = Tile::of(rows, columns);
        let [down, across] = tile.tiles(rows, columns);
        let arguments =
            (pass.d_output, pass.params, self.of(pass.samples), i32::from(to.accumulate), to.values);
        let grid = Grid::new([down as u32, across as u32, 1], tile.threads(self.precision));
        let single = [&kernels.conv_input_gradient_wide, &kernels.conv_input_gradient_narrow];
        let tensor = pass.device.tensor_kernels().map(|tensor| {
            [
                [&tensor.conv_input_gradient_wide_tf32, &tensor.conv_input_gradient_narrow_tf32],
                [&tensor.conv_input_gradient_wide_bf16, &tensor.conv_input_gradient_narrow_bf16],
            ]
        });
        let kernel = self.kernel(tile, single, tensor);
        // SAFETY: as in `forward`; the input's gradient is no other's buffer.
        unsafe { pass.device.launch(kernel, grid, arguments) }
    }

    fn scratch_bytes(&self, samples: usize) -> usize {
        let (_, slices, _) = self.slices(samples);
        let filters = if slices > 1 { slices * self.weights() * size_of::<f32>() } else { 0 };
        let sums = chunks(samples * self.out_pixels) * self.shape.filters as usize * size_of::<f64>();
        filters.max(if self.bias { sums } else { 0 })
    }
}
