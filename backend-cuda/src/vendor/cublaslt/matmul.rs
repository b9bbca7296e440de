//! A product of matrices.

use core::{ffi::c_void, ptr::from_ref};

use cudarc::cublaslt::sys::{cublasLtMatmulAlgo_t, cublasLtMatmulDescOpaque_t, cublasLtMatrixLayoutOpaque_t};

use super::ALIGNMENT;
use crate::{
    CudaError, Device, Grid, Product, Ptr,
    element::Element,
    geometry::Geometry,
    vendor::{Operands, VendorKernel, descriptor::Descriptor},
};

/// A product as the library sees it: matrices column by column, `to` of `rows` x `columns`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MatmulShape {
    pub rows: usize,
    pub columns: usize,
    /// Rows and columns of the factors as they lie.
    pub a: [usize; 2],
    pub b: [usize; 2],
    /// Whether they are to be transposed.
    pub transposed: [bool; 2],
}

impl MatmulShape {
    pub fn new(geometry: &Geometry, product: Product) -> Self {
        let pixels = geometry.samples * geometry.output.pixels();
        let (channels, filters) = (geometry.input.channels, geometry.output.channels);
        let (x, w, y) = ([channels, pixels], [filters, channels], [filters, pixels]);
        let (rows, columns, [a, b], transposed) = match product {
            Product::Forward => (filters, pixels, [w, x], [false, false]),
            Product::InputGradient => (channels, pixels, [w, y], [true, false]),
            Product::WeightGradient => (filters, channels, [y, x], [false, true]),
        };
        Self { rows, columns, a, b, transposed }
    }
}

/// A product of matrices, ready to be asked for.
pub(in crate::vendor) struct Matmul {
    pub name: String,
    pub operation: Descriptor<cublasLtMatmulDescOpaque_t>,
    /// Of the factors and of the product.
    pub layouts: [Descriptor<cublasLtMatrixLayoutOpaque_t>; 3],
    pub algorithm: cublasLtMatmulAlgo_t,
    pub workspace: usize,
    pub product: Product,
    /// Weights that are rounded to bf16 before they are multiplied.
    pub rounded: usize,
}

impl Matmul {
    /// Bytes of those, up to where the library's workspace may begin.
    const fn rounded_bytes(&self) -> usize {
        (self.rounded * Element::Bf16.bytes()).next_multiple_of(ALIGNMENT as usize)
    }
}

impl VendorKernel for Matmul {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn scratch_bytes(&self) -> usize {
        self.rounded_bytes() + self.workspace
    }

    fn launch(&mut self, device: &Device, operands: &Operands) -> Result<(), CudaError> {
        let library = device.vendor()?.cublaslt()?;
        let Operands { left, right, to, accumulate, scratch } = *operands;
        let address = |address: u64| address as *const c_void;
        let mut right = right.address();
        if self.rounded > 0 {
            let n = self.rounded as u32;
            let grid = Grid::vectors(n, Element::Bf16.bytes());
            let kernels = device.tensor_kernels().expect("the precision was checked before it was set");
            let arguments = (Ptr::new(right), n, scratch.cast());
            // SAFETY: so many are the weights, and there is room for them.
            unsafe { device.launch(&kernels.round_bf16, grid, arguments)? };
            right = scratch.address();
        }
        let workspace = scratch.cast::<u8>().add(self.rounded_bytes());
        let [a, b] = [address(right), address(left.address())];
        let (one, sum) = (1.0f32, if accumulate { 1.0f32 } else { 0.0 });
        let [a_layout, b_layout, to_layout] = &self.layouts;
        let to = to.address() as *mut c_void;
        // SAFETY: handle and descriptors are alive; the caller's buffers are as large as the descriptors say and aligned as
        // the algorithm was told, the scratch memory as large as it asked for. Nobody else uses that until the stream is
        // there.
        let status = unsafe {
            (library.functions.cublasLtMatmul)(
                library.handle,
                self.operation.raw(),
                from_ref(&one).cast(),
                a,
                a_layout.raw(),
                b,
                b_layout.raw(),
                from_ref(&sum).cast(),
                to,
                to_layout.raw(),
                to,
                to_layout.raw(),
                &self.algorithm,
                workspace.address() as *mut c_void,
                self.workspace,
                device.stream().cast(),
            )
        };
        library.check("cublasLtMatmul", status).map_err(|failure| failure.on(device))?;
        device.wait_if_blocking(|| format!("{}, {}", self.name, self.product))
    }
}

#[cfg(test)]
mod tests {
    use sam_model::Shape;

    use super::*;

    /// The product of what the library is told to multiply is the transposed product, entry by entry.
    #[test]
    fn transposed_products_of_columns_are_products_of_rows() {
        let (pixels, channels, filters) = (3, 4, 5);
        let geometry = Geometry {
            samples: pixels,
            input: Shape::vector(channels),
            output: Shape::vector(filters),
            kernel: 1,
            stride: 1,
            padding: [0, 0],
        };
        // Row by row; entries that tell where they are from.
        let matrix = |rows: usize, columns: usize, seed: f64| -> Vec<f64> {
            (0..rows * columns).map(|i| (seed * (i + 1) as f64).sin()).collect()
        };
        let (x, w, y) =
            (matrix(pixels, channels, 1.0), matrix(channels, filters, 2.0), matrix(pixels, filters, 3.0));
        for product in Product::ALL {
            let (left, right): (&[f64], &[f64]) = match product {
                Product::Forward => (&x, &w),
                Product::InputGradient => (&y, &w),
                Product::WeightGradient => (&x, &y),
            };
            let shape = MatmulShape::new(&geometry, product);
            let at = |values: &[f64], rows: usize, transposed: bool, i: usize, j: usize| {
                let (i, j) = if transposed { (j, i) } else { (i, j) };
                values[i + j * rows]
            };
            let depth = if shape.transposed[0] { shape.a[0] } else { shape.a[1] };
            let mut found = vec![0.0; shape.rows * shape.columns];
            for (i, j, k) in (0..shape.rows)
                .flat_map(|i| (0..shape.columns).map(move |j| (i, j)))
                .flat_map(|(i, j)| (0..depth).map(move |k| (i, j, k)))
            {
                found[i + j * shape.rows] += at(right, shape.a[0], shape.transposed[0], i, k)
                    * at(left, shape.b[0], shape.transposed[1], k, j);
            }
            // By the definition of each product, in rows.
            let mut expected = vec![0.0; found.len()];
            for (n, c, o) in (0..pixels)
                .flat_map(|n| (0..channels).map(move |c| (n, c)))
                .flat_map(|(n, c)| (0..filters).map(move |o| (n, c, o)))
            {
                match product {
                    Product::Forward => expected[n * filters + o] += x[n * channels + c] * w[c * filters + o],
                    Product::InputGradient => {
                        expected[n * channels + c] += y[n * filters + o] * w[c * filters + o];
                    }
                    Product::WeightGradient => {
                        expected[c * filters + o] += x[n * channels + c] * y[n * filters + o];
                    }
                }
            }
            let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
            assert!(found.iter().zip(&expected).all(close), "{product}: {found:?}, expected {expected:?}");
        }
    }
}
