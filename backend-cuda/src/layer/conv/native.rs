//! This crate's kernels for the three products.

#![allow(unsafe_code, reason = "launches of kernels")]

use bytemuck::{Pod, Zeroable};

use super::{Divisor, Geometry};
use crate::{CudaError, Device, Grid, Kernel, Precision, Product, Ptr, PtrMut, vendor::Operands};

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
    padding: [u32; 2],
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

/// The products of a convolution, for any number of samples. All are implicit: no patches of the size of the activations are
/// ever written.
pub(super) struct Native {
    shape: ConvShape,
    pixels: usize,
    out_pixels: usize,
    pub precision: Precision,
}

/// Kernels of a product in one precision, the wide tile's first.
type Pair<'a, A> = [&'a Kernel<A>; 2];

impl Native {
    pub fn new(geometry: &Geometry) -> Self {
        let Geometry { input, output, kernel, stride, padding, .. } = *geometry;
        let shape = ConvShape {
            samples: 0,
            height: input.height as u32,
            width: input.width as u32,
            channels: input.channels as u32,
            out_height: output.height as u32,
            out_width: output.width as u32,
            filters: output.channels as u32,
            kernel: kernel as u32,
            padding: padding.map(|extent| extent as u32),
            by_stride: Divisor::new(stride),
            by_kernel: Divisor::new(kernel),
            by_channels: Divisor::new(input.channels),
            by_filters: Divisor::new(output.channels),
            by_width: Divisor::new(input.width),
            by_pixels: Divisor::new(input.pixels()),
            by_out_width: Divisor::new(output.width),
            by_out_pixels: Divisor::new(output.pixels()),
        };
        Self { shape, pixels: input.pixels(), out_pixels: output.pixels(), precision: Precision::Single }
    }

    /// A product of `samples` samples in the precision that is set; forwards with the bias, if there is one.
    pub fn launch(
        &self,
        device: &Device,
        product: Product,
        samples: usize,
        bias: Ptr<f32>,
        operands: &Operands,
    ) -> Result<(), CudaError> {
        match product {
            Product::Forward => self.forward(device, samples, bias, operands),
            Product::InputGradient => self.input_gradient(device, samples, operands),
            Product::WeightGradient => self.weight_gradient(device, samples, operands),
        }
    }

    /// Bytes of scratch memory that the weight gradient needs.
    pub fn scratch_bytes(&self, samples: usize) -> usize {
        let (_, slices, _) = self.slices(samples);
        if slices > 1 { slices * self.weights() * size_of::<f32>() } else { 0 }
    }

    /// The kernel for a tile, in the precision that is set: single, or TF32 or bfloat16 where there are tensor cores.
    /// `set_precision` has seen to it that there are.
    fn kernel<'a, A>(
        &self,
        tile: Tile,
        single: Pair<'a, A>,
        tensor: Option<[Pair<'a, A>; 2]>,
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

    fn patch(&self) -> usize {
        (self.shape.kernel * self.shape.kernel * self.shape.channels) as usize
    }

    fn weights(&self) -> usize {
        self.patch() * self.shape.filters as usize
    }

    /// A block for each tile.
    fn grid(&self, tile: Tile, rows: usize, columns: usize, slices: usize) -> Grid {
        let [down, across] = tile.tiles(rows, columns);
        Grid::new([down as u32, across as u32, slices as u32], tile.threads(self.precision))
    }

    fn forward(
        &self,
        device: &Device,
        samples: usize,
        bias: Ptr<f32>,
        operands: &Operands,
    ) -> Result<(), CudaError> {
        let kernels = device.kernels();
        let (rows, columns) = (samples * self.out_pixels, self.shape.filters as usize);
        let tile = Tile::of(rows, columns);
        let arguments = (operands.left, operands.right, bias, self.of(samples), operands.to);
        let single = [&kernels.conv_forward_wide, &kernels.conv_forward_narrow];
        let tensor = device.tensor_kernels().map(|tensor| {
            [
                [&tensor.conv_forward_wide_tf32, &tensor.conv_forward_narrow_tf32],
                [&tensor.conv_forward_wide_bf16, &tensor.conv_forward_narrow_bf16],
            ]
        });
        let kernel = self.kernel(tile, single, tensor);
        // SAFETY: input and output are of so many samples, the parameters the layer's own.
        unsafe { device.launch(kernel, self.grid(tile, rows, columns, 1), arguments) }
    }

    fn input_gradient(&self, device: &Device, samples: usize, operands: &Operands) -> Result<(), CudaError> {
        let kernels = device.kernels();
        let (rows, columns) = (samples * self.pixels, self.shape.channels as usize);
        let tile = Tile::of(rows, columns);
        let Operands { left, right, to, accumulate, .. } = *operands;
        let arguments = (left, right, self.of(samples), i32::from(accumulate), to);
        let single = [&kernels.conv_input_gradient_wide, &kernels.conv_input_gradient_narrow];
        let tensor = device.tensor_kernels().map(|tensor| {
            [
                [&tensor.conv_input_gradient_wide_tf32, &tensor.conv_input_gradient_narrow_tf32],
                [&tensor.conv_input_gradient_wide_bf16, &tensor.conv_input_gradient_narrow_bf16],
            ]
        });
        let kernel = self.kernel(tile, single, tensor);
        // SAFETY: as in `forward`; the input's gradient is no other's buffer.
        unsafe { device.launch(kernel, self.grid(tile, rows, columns, 1), arguments) }
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

    fn weight_gradient(&self, device: &Device, samples: usize, operands: &Operands) -> Result<(), CudaError> {
        let kernels = device.kernels();
        let (tile, slices, slice) = self.slices(samples);
        let (rows, columns) = (self.patch(), self.shape.filters as usize);
        let Operands { left, right, to: gradient, scratch, .. } = *operands;
        let to: PtrMut<f32> = if slices == 1 { gradient } else { scratch.cast() };
        let arguments = (left, right, self.of(samples), slice as u32, to);
        let single = [&kernels.conv_weight_gradient_wide, &kernels.conv_weight_gradient_narrow];
        let tensor = device.tensor_kernels().map(|tensor| {
            [
                [&tensor.conv_weight_gradient_wide_tf32, &tensor.conv_weight_gradient_narrow_tf32],
                [&tensor.conv_weight_gradient_wide_bf16, &tensor.conv_weight_gradient_narrow_bf16],
            ]
        });
        let kernel = self.kernel(tile, single, tensor);
        // SAFETY: input and gradient are of so many samples, and there is room for each slice's filters.
        unsafe { device.launch(kernel, self.grid(tile, rows, columns, slices), arguments)? };
        if slices == 1 {
            return Ok(());
        }
        let n = self.weights() as u32;
        let sum = (to.reading(), n, slices as u32, gradient);
        // SAFETY: as above; the layer's gradients begin with those of the filters.
        unsafe { device.launch(&kernels.sum_slices, Grid::over(n), sum) }
    }
}
