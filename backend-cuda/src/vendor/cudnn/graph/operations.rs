//! The operations of a graph, and the tensors between them.

use core::ffi::c_void;

use cudarc::cudnn::sys::{
    cudnnBackendAttributeName_t as Name, cudnnBackendDescriptorType_t as Kind, cudnnConvolutionMode_t,
    cudnnDataType_t as Number, cudnnGenStatsMode_t, cudnnPointwiseMode_t as Pointwise,
};

use sam_model::Shape;

use super::{
    attribute::{Builder, Link},
    plan::{Computed, Key},
};
use crate::{
    Product,
    element::Element,
    geometry::Geometry,
    vendor::{cudnn::Cudnn, descriptor::Descriptor, library::Failure},
};

/// What a tensor is called by when addresses are handed over.
pub(super) const INPUT: i64 = 1;
pub(super) const FILTERS: i64 = 2;
pub(super) const ADDEND: i64 = 3;
pub(super) const OUTPUT: i64 = 4;
pub(super) const SUMS: i64 = 5;
pub(super) const SQUARES: i64 = 6;
/// Tensors that are nowhere in memory.
const PRODUCT: i64 = 7;
const TOTAL: i64 = 8;

/// Bytes that the address of every tensor is a multiple of.
pub(super) const ALIGNMENT: i64 = 16;

/// Descriptors that belong together: what others are made of stands behind them, so that it goes last.
pub(super) struct Operations {
    operations: Vec<Descriptor<c_void>>,
    _tensors: Vec<Descriptor<c_void>>,
}

impl Operations {
    /// What a graph is of.
    pub fn new(library: &Cudnn, key: &Key) -> Result<Self, Failure> {
        let element = Element::of(key.precision);
        match key.computed {
            Computed::Alone(product) => Self::alone(library, &key.geometry, element, product),
            Computed::WithSums { add } => Self::fused(library, &key.geometry, element, add),
        }
    }

    /// One of a convolution's products. In memory that begins anywhere a pixel may begin.
    fn alone(
        library: &Cudnn,
        geometry: &Geometry,
        element: Element,
        product: Product,
    ) -> Result<Self, Failure> {
        let Geometry { samples, input, output, kernel, .. } = *geometry;
        let number = number(element);
        let mut own = Making { library, tensors: Vec::new(), operations: Vec::new() };
        let image = |shape: Shape| [samples, shape.channels, shape.height, shape.width];
        let x = own.tensor(INPUT, number, image(input), Memory::At(pixel_alignment(input, element)))?;
        let w = [output.channels, input.channels, kernel, kernel];
        let w = own.tensor(FILTERS, number, w, Memory::At(ALIGNMENT))?;
        let y = own.tensor(OUTPUT, number, image(output), Memory::At(pixel_alignment(output, element)))?;
        own.convolution(geometry, product, [x, w, y])?;
        Ok(Self { operations: own.operations, _tensors: own.tensors })
    }

    /// A convolution; the addition of a tensor, if `add`; the sums of what comes of it over all pixels, and of its squares.
    fn fused(library: &Cudnn, geometry: &Geometry, element: Element, add: bool) -> Result<Self, Failure> {
        let Geometry { samples, input, output, kernel, .. } = *geometry;
        let number = number(element);
        let there = Memory::At(ALIGNMENT);
        let mut own = Making { library, tensors: Vec::new(), operations: Vec::new() };
        let out = [samples, output.channels, output.height, output.width];
        let channels = [1, output.channels, 1, 1];
        let x = own.tensor(INPUT, number, [samples, input.channels, input.height, input.width], there)?;
        let w = own.tensor(FILTERS, number, [output.channels, input.channels, kernel, kernel], there)?;
        let y = own.tensor(OUTPUT, number, out, there)?;
        let sums = own.tensor(SUMS, Number::CUDNN_DATA_FLOAT, channels, there)?;
        let squares = own.tensor(SQUARES, Number::CUDNN_DATA_FLOAT, channels, there)?;
        // Sums must be of f32 (or f16): what is between is, and is rounded only where it is written.
        let between =
            |own: &mut Making<'_>, id| own.tensor(id, Number::CUDNN_DATA_FLOAT, out, Memory::Nowhere);
        let direct = element == Element::F32;
        let product = if direct && !add { y } else { between(&mut own, PRODUCT)? };
        own.convolution(geometry, Product::Forward, [x, w, product])?;
        let mut total = product;
        if add {
            let addend = own.tensor(ADDEND, number, out, there)?;
            total = if direct { y } else { between(&mut own, TOTAL)? };
            own.pointwise(Pointwise::CUDNN_POINTWISE_ADD, &[product, addend], total)?;
        }
        if !direct {
            own.pointwise(Pointwise::CUDNN_POINTWISE_IDENTITY, &[total], y)?;
        }
        own.sums(total, [sums, squares])?;
        Ok(Self { operations: own.operations, _tensors: own.tensors })
    }

    /// In the order of the data.
    pub fn links(&self) -> Vec<Link> {
        self.operations.iter().map(|operation| Link(operation.raw())).collect()
    }
}

/// Where a tensor is.
#[derive(Clone, Copy)]
enum Memory {
    /// At a multiple of so many bytes.
    At(i64),
    /// Nowhere, between two operations.
    Nowhere,
}

struct Making<'a> {
    library: &'a Cudnn,
    tensors: Vec<Descriptor<c_void>>,
    operations: Vec<Descriptor<c_void>>,
}

impl Making<'_> {
    fn keep(&mut self, tensor: Descriptor<c_void>) -> Link {
        let link = Link(tensor.raw());
        self.tensors.push(tensor);
        link
    }

    /// A tensor of samples, channels, rows and columns, channels last; of filters the filters come first.
    fn tensor(
        &mut self,
        id: i64,
        number: Number,
        extents: [usize; 4],
        memory: Memory,
    ) -> Result<Link, Failure> {
        let extents = extents.map(|extent| extent as i64);
        let [_, c, h, w] = extents;
        let (alignment, nowhere) = match memory {
            Memory::At(alignment) => (alignment, false),
            Memory::Nowhere => (ALIGNMENT, true),
        };
        let tensor = Builder::new(self.library, Kind::CUDNN_BACKEND_TENSOR_DESCRIPTOR)?
            .set(Name::CUDNN_ATTR_TENSOR_UNIQUE_ID, &[id])?
            .set(Name::CUDNN_ATTR_TENSOR_DATA_TYPE, &[number])?
            .set(Name::CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, &[alignment])?
            .set(Name::CUDNN_ATTR_TENSOR_DIMENSIONS, &extents)?
            .set(Name::CUDNN_ATTR_TENSOR_STRIDES, &[c * h * w, 1, w * c, c])?
            .set(Name::CUDNN_ATTR_TENSOR_IS_VIRTUAL, &[nowhere])?;
        Ok(self.keep(tensor.finish()?))
    }

    /// The product of two of image, filters and output, the third.
    fn convolution(
        &mut self,
        geometry: &Geometry,
        product: Product,
        tensors: [Link; 3],
    ) -> Result<(), Failure> {
        let [before, behind] = paddings(geometry);
        let convolution = Builder::new(self.library, Kind::CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)?
            .set(Name::CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, &[2i64])?
            .set(Name::CUDNN_ATTR_CONVOLUTION_COMP_TYPE, &[Number::CUDNN_DATA_FLOAT])?
            .set(Name::CUDNN_ATTR_CONVOLUTION_CONV_MODE, &[cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION])?
            .set(Name::CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, &before)?
            .set(Name::CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, &behind)?
            .set(Name::CUDNN_ATTR_CONVOLUTION_DILATIONS, &[1i64; 2])?
            .set(Name::CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, &[geometry.stride as i64; 2])?;
        let convolution = self.keep(convolution.finish()?);
        let (kind, description, names, scales) = names(product);
        let mut operation = Builder::new(self.library, kind)?.set(description, &[convolution])?;
        for (name, tensor) in names.into_iter().zip(tensors) {
            operation = operation.set(name, &[tensor])?;
        }
        for (name, scale) in scales.into_iter().zip([1.0f32, 0.0]) {
            operation = operation.set(name, &[scale])?;
        }
        self.operations.push(operation.finish()?);
        Ok(())
    }

    /// Of one tensor or two, entry by entry.
    fn pointwise(&mut self, mode: Pointwise, from: &[Link], to: Link) -> Result<(), Failure> {
        let function = Builder::new(self.library, Kind::CUDNN_BACKEND_POINTWISE_DESCRIPTOR)?
            .set(Name::CUDNN_ATTR_POINTWISE_MODE, &[mode])?
            .set(Name::CUDNN_ATTR_POINTWISE_MATH_PREC, &[Number::CUDNN_DATA_FLOAT])?;
        let function = self.keep(function.finish()?);
        let mut operation = Builder::new(self.library, Kind::CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)?
            .set(Name::CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, &[function])?
            .set(Name::CUDNN_ATTR_OPERATION_POINTWISE_XDESC, &from[..1])?
            .set(Name::CUDNN_ATTR_OPERATION_POINTWISE_YDESC, &[to])?;
        if let Some(second) = from.get(1) {
            operation = operation.set(Name::CUDNN_ATTR_OPERATION_POINTWISE_BDESC, &[*second])?;
        }
        self.operations.push(operation.finish()?);
        Ok(())
    }

    fn sums(&mut self, of: Link, [sums, squares]: [Link; 2]) -> Result<(), Failure> {
        let operation = Builder::new(self.library, Kind::CUDNN_BACKEND_OPERATION_GEN_STATS_DESCRIPTOR)?
            .set(Name::CUDNN_ATTR_OPERATION_GENSTATS_MODE, &[cudnnGenStatsMode_t::CUDNN_GENSTATS_SUM_SQSUM])?
            .set(Name::CUDNN_ATTR_OPERATION_GENSTATS_MATH_PREC, &[Number::CUDNN_DATA_FLOAT])?
            .set(Name::CUDNN_ATTR_OPERATION_GENSTATS_XDESC, &[of])?
            .set(Name::CUDNN_ATTR_OPERATION_GENSTATS_SUMDESC, &[sums])?
            .set(Name::CUDNN_ATTR_OPERATION_GENSTATS_SQSUMDESC, &[squares])?;
        self.operations.push(operation.finish()?);
        Ok(())
    }
}

/// Of a product's operation its kind and the names of its attributes: what the convolution is like; image, filters and output; factors of
/// the product and of what was there.
const fn names(product: Product) -> (Kind, Name, [Name; 3], [Name; 2]) {
    match product {
        Product::Forward => (
            Kind::CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
            Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
            [
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
            ],
            [
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
            ],
        ),
        Product::InputGradient => (
            Kind::CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
            Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
            [
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
            ],
            [
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
            ],
        ),
        Product::WeightGradient => (
            Kind::CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
            Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
            [
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
            ],
            [
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
            ],
        ),
    }
}

/// What numbers are called by the library.
const fn number(element: Element) -> Number {
    match element {
        Element::F32 => Number::CUDNN_DATA_FLOAT,
        Element::Bf16 => Number::CUDNN_DATA_BFLOAT16,
    }
}

/// Bytes that every pixel begins at a multiple of, [`ALIGNMENT`] at most: so may a part of a batch.
const fn pixel_alignment(shape: Shape, element: Element) -> i64 {
    let bytes = (shape.channels * element.bytes()) as i64;
    let power = 1 << bytes.trailing_zeros();
    if power < ALIGNMENT { power } else { ALIGNMENT }
}

/// Rows and columns of zeros before the image, and those behind it: as many as the output reads, which need not be the same.
fn paddings(geometry: &Geometry) -> [[i64; 2]; 2] {
    let Geometry { input, output, kernel, stride, padding, .. } = *geometry;
    let before = padding.map(|extent| extent as i64);
    let behind = |axis: usize, extent: usize, out: usize| {
        ((out - 1) * stride + kernel) as i64 - before[axis] - extent as i64
    };
    // Pixels that no window reaches are behind the last window whatever the padding is: it is then none.
    let behind = [behind(0, input.height, output.height), behind(1, input.width, output.width)];
    [before, behind.map(|extent| extent.max(0))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Precision, vendor::tests::found};

    /// On the library itself, where it is; needs no device: it takes every attribute, and agrees on the shapes.
    #[test]
    fn operations_can_be_made() {
        let Some(library) = found(Cudnn::load()) else { return };
        let shapes = [(8, 8, 3, 1, [1, 1]), (8, 6, 3, 2, [0, 0]), (7, 7, 3, 2, [1, 1]), (6, 5, 1, 2, [0, 0])];
        for (height, width, kernel, stride, padding) in shapes {
            let (input, output) = (
                Shape::new(height, width, 16),
                Shape::new(height.div_ceil(stride), width.div_ceil(stride), 24),
            );
            let geometry = Geometry { samples: 4, input, output, kernel, stride, padding };
            for precision in [Precision::Tf32, Precision::Bf16] {
                let made =
                    |computed| Operations::new(&library, &Key { geometry, precision, computed }).unwrap();
                for product in [Product::Forward, Product::InputGradient, Product::WeightGradient] {
                    assert_eq!(made(Computed::Alone(product)).links().len(), 1);
                }
                for (add, operations) in [(false, 2), (true, 3)] {
                    // Rounding is an operation of its own.
                    let all = operations + usize::from(precision == Precision::Bf16);
                    assert_eq!(made(Computed::WithSums { add }).links().len(), all);
                }
            }
        }
    }

    /// As many rows and columns behind the image as the last windows read.
    #[test]
    fn paddings_are_what_the_output_reads() {
        let paddings = |extent: usize, out: usize, kernel, stride, before| {
            let (input, output) = (Shape::new(extent, extent, 1), Shape::new(out, out, 1));
            let geometry = Geometry { samples: 1, input, output, kernel, stride, padding: [before; 2] };
            paddings(&geometry).map(|[rows, _]| rows)
        };
        assert_eq!(paddings(8, 8, 3, 1, 1), [1, 1]);
        assert_eq!(paddings(8, 4, 3, 2, 0), [0, 1]);
        assert_eq!(paddings(8, 4, 3, 2, 1), [1, 0]);
        assert_eq!(paddings(6, 3, 1, 2, 0), [0, 0]);
        assert_eq!(paddings(7, 6, 2, 1, 0), [0, 0]);
    }
}
