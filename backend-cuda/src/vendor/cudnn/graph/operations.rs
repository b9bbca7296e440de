//! The operations of a fused convolution, and the tensors between them.

use core::ffi::c_void;

use cudarc::cudnn::sys::{
    cudnnBackendAttributeName_t as Name, cudnnBackendDescriptorType_t as Kind, cudnnConvolutionMode_t,
    cudnnDataType_t as Number, cudnnGenStatsMode_t, cudnnPointwiseMode_t as Pointwise,
};

use super::attribute::{Builder, Link};
use crate::{
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
    /// A convolution; the addition of a tensor, if `add`; the sums of what comes of it over all pixels, and of its squares.
    pub fn new(library: &Cudnn, geometry: &Geometry, element: Element, add: bool) -> Result<Self, Failure> {
        let Geometry { samples, input, output, kernel, .. } = *geometry;
        let number = match element {
            Element::F32 => Number::CUDNN_DATA_FLOAT,
            Element::Bf16 => Number::CUDNN_DATA_BFLOAT16,
        };
        let mut own = Making { library, tensors: Vec::new(), operations: Vec::new() };
        let out = [samples, output.channels, output.height, output.width];
        let channels = [1, output.channels, 1, 1];
        let x = own.tensor(INPUT, number, [samples, input.channels, input.height, input.width], false)?;
        let w = own.tensor(FILTERS, number, [output.channels, input.channels, kernel, kernel], false)?;
        let y = own.tensor(OUTPUT, number, out, false)?;
        let sums = own.tensor(SUMS, Number::CUDNN_DATA_FLOAT, channels, false)?;
        let squares = own.tensor(SQUARES, Number::CUDNN_DATA_FLOAT, channels, false)?;
        // Sums must be of f32 (or f16): what is between is, and is rounded only where it is written.
        let between = |own: &mut Making<'_>, id| own.tensor(id, Number::CUDNN_DATA_FLOAT, out, true);
        let direct = element == Element::F32;
        let product = if direct && !add { y } else { between(&mut own, PRODUCT)? };
        own.convolution(geometry, [x, w, product])?;
        let mut total = product;
        if add {
            let addend = own.tensor(ADDEND, number, out, false)?;
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
        r#virtual: bool,
    ) -> Result<Link, Failure> {
        let extents = extents.map(|extent| extent as i64);
        let [_, c, h, w] = extents;
        let tensor = Builder::new(self.library, Kind::CUDNN_BACKEND_TENSOR_DESCRIPTOR)?
            .set(Name::CUDNN_ATTR_TENSOR_UNIQUE_ID, &[id])?
            .set(Name::CUDNN_ATTR_TENSOR_DATA_TYPE, &[number])?
            .set(Name::CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, &[ALIGNMENT])?
            .set(Name::CUDNN_ATTR_TENSOR_DIMENSIONS, &extents)?
            .set(Name::CUDNN_ATTR_TENSOR_STRIDES, &[c * h * w, 1, w * c, c])?
            .set(Name::CUDNN_ATTR_TENSOR_IS_VIRTUAL, &[r#virtual])?;
        Ok(self.keep(tensor.finish()?))
    }

    fn convolution(&mut self, geometry: &Geometry, [x, w, y]: [Link; 3]) -> Result<(), Failure> {
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
        let kind = Kind::CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR;
        let operation = Builder::new(self.library, kind)?
            .set(Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, &[convolution])?
            .set(Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, &[x])?
            .set(Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, &[w])?
            .set(Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, &[y])?
            .set(Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, &[1.0f32])?
            .set(Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, &[0.0f32])?;
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
    use sam_model::Shape;

    use super::*;
    use crate::vendor::tests::found;

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
            for element in [Element::F32, Element::Bf16] {
                for (add, operations) in [(false, 2), (true, 3)] {
                    let made = Operations::new(&library, &geometry, element, add).unwrap();
                    // Rounding is an operation of its own.
                    assert_eq!(made.links().len(), operations + usize::from(element == Element::Bf16));
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
