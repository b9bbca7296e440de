//! This crate's kernels for the three products.

#![allow(unsafe_code, reason = "launches of kernels")]

use crate::{
    CudaError, Device, Grid, Kernel, Precision, Product, Ptr, PtrMut,
    geometry::Geometry,
    kernels::{ConvShape, Tile},
    vendor::Operands,
};

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
        Self {
            shape: ConvShape::new(geometry),
            pixels: geometry.input.pixels(),
            out_pixels: geometry.output.pixels(),
            precision: Precision::Single,
        }
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

    /// Bytes of scratch memory that the weight gradient needs, of fewer samples too: those may be cut into a slice more.
    pub fn scratch_bytes(&self, samples: usize) -> usize {
        let (_, slices) = self.wanted_slices(samples);
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
        let weights = operands.right.cast();
        let arguments = (operands.left, weights, bias, self.shape.with_samples(samples), operands.to);
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
        let arguments = (left, right.cast(), self.shape.with_samples(samples), i32::from(accumulate), to);
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
        const DEPTH: usize = 16;
        let (tile, wanted) = self.wanted_slices(samples);
        let pixels = samples * self.out_pixels;
        let slice = pixels.div_ceil(wanted).next_multiple_of(DEPTH);
        (tile, pixels.div_ceil(slice), slice)
    }

    /// Tile and number of slices, before a slice is rounded up to a whole depth of tiles, which may leave the last ones empty. The
    /// number grows with the samples.
    fn wanted_slices(&self, samples: usize) -> (Tile, usize) {
        const BLOCKS: usize = 256;
        const FEWEST_PIXELS: usize = 256;
        let (rows, columns, pixels) = (self.patch(), self.shape.filters as usize, samples * self.out_pixels);
        let tile = if rows >= 128 && columns >= 48 { Tile::Wide } else { Tile::Narrow };
        let [down, across] = tile.tiles(rows, columns);
        (tile, BLOCKS.div_ceil(down * across).min(pixels.div_ceil(FEWEST_PIXELS)).max(1))
    }

    fn weight_gradient(&self, device: &Device, samples: usize, operands: &Operands) -> Result<(), CudaError> {
        let kernels = device.kernels();
        let (tile, slices, slice) = self.slices(samples);
        let (rows, columns) = (self.patch(), self.shape.filters as usize);
        let Operands { left, right, to: gradient, scratch, .. } = *operands;
        let gradient = gradient.cast();
        let to: PtrMut<f32> = if slices == 1 { gradient } else { scratch.cast() };
        let arguments = (left, right, self.shape.with_samples(samples), slice as u32, to);
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
