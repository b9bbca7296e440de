//! One of a convolution's products.

#![allow(unsafe_code, reason = "calls of the library")]

use core::{ffi::c_void, ptr::from_ref};
use std::sync::PoisonError;

use cudarc::cudnn::sys::{
    cudnnConvolutionBwdDataAlgo_t as InputAlgorithm, cudnnConvolutionBwdFilterAlgo_t as WeightAlgorithm,
    cudnnConvolutionFwdAlgo_t as ForwardAlgorithm, cudnnConvolutionStruct, cudnnFilterStruct,
    cudnnTensorStruct,
};

use crate::{
    CudaError, Device, Grid, Kernel, Product, Ptr, PtrMut,
    element::Element,
    geometry::Geometry,
    kernels::TensorKernels,
    vendor::{Operands, VendorKernel, descriptor::Descriptor},
};

/// Where the library's workspace may begin.
const ALIGNMENT: usize = 256;

/// What a convolution is of. Gradients are described as what they are the gradients of.
pub(super) struct Descriptors {
    pub x: Descriptor<cudnnTensorStruct>,
    pub y: Descriptor<cudnnTensorStruct>,
    pub w: Descriptor<cudnnFilterStruct>,
    pub convolution: Descriptor<cudnnConvolutionStruct>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Algorithm {
    Forward(ForwardAlgorithm),
    Input(InputAlgorithm),
    Weight(WeightAlgorithm),
}

impl Algorithm {
    /// Those that are deterministic and take channels last, the fastest as a rule first.
    pub const fn of(product: Product) -> &'static [Self] {
        match product {
            Product::Forward => &[
                Self::Forward(ForwardAlgorithm::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM),
                Self::Forward(ForwardAlgorithm::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM),
            ],
            Product::InputGradient => &[Self::Input(InputAlgorithm::CUDNN_CONVOLUTION_BWD_DATA_ALGO_1)],
            Product::WeightGradient => &[Self::Weight(WeightAlgorithm::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1)],
        }
    }
}

/// A convolution's product, ready to be asked for.
pub(in crate::vendor) struct Convolution {
    pub(super) name: String,
    pub(super) descriptors: Descriptors,
    pub(super) algorithm: Algorithm,
    pub(super) workspace: usize,
    pub(super) product: Product,
    pub(super) geometry: Geometry,
    /// What the library has everything in.
    pub(super) element: Element,
}

impl Convolution {
    const fn filter_bytes(&self) -> usize {
        filter_bytes(&self.geometry, self.element)
    }
}

/// Bytes of the filters, up to where the library's workspace may begin.
pub(super) const fn filter_bytes(geometry: &Geometry, element: Element) -> usize {
    aligned(geometry.weights() * element.bytes())
}

/// Bytes up to where the library's workspace may begin.
pub(super) const fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT)
}

/// The filters as the library wants them.
pub(super) fn bring_filters(
    device: &Device,
    geometry: &Geometry,
    element: Element,
    from: Ptr<f32>,
    to: PtrMut<f64>,
) -> Result<(), CudaError> {
    let (patch, count) = (geometry.patch(), geometry.output.channels);
    match element {
        Element::F32 => transpose(device, &device.kernels().transpose, [patch, count], from, to.cast()),
        Element::Bf16 => {
            let kernel = &tensor_kernels(device).transpose_to_bf16;
            transpose(device, kernel, [patch, count], from, to.cast())
        }
    }
}

/// The library's filters, or their gradient, as this crate has them.
pub(super) fn take_filters(
    device: &Device,
    geometry: &Geometry,
    element: Element,
    from: PtrMut<f64>,
    to: PtrMut<f32>,
) -> Result<(), CudaError> {
    let (patch, count) = (geometry.patch(), geometry.output.channels);
    match element {
        Element::F32 => {
            transpose(device, &device.kernels().transpose, [count, patch], from.cast().reading(), to)
        }
        Element::Bf16 => {
            let kernel = &tensor_kernels(device).transpose_from_bf16;
            transpose(device, kernel, [count, patch], from.cast().reading(), to)
        }
    }
}

fn tensor_kernels(device: &Device) -> &TensorKernels {
    device.tensor_kernels().expect("the precision was checked before it was set")
}

/// `to = from` transposed, from `rows` x `columns`.
fn transpose<F, T>(
    device: &Device,
    kernel: &Kernel<(Ptr<F>, u32, u32, PtrMut<T>)>,
    [rows, columns]: [usize; 2],
    from: Ptr<F>,
    to: PtrMut<T>,
) -> Result<(), CudaError> {
    const TILE: u32 = 32;
    const THREADS: u32 = 256;
    let (rows, columns) = (rows as u32, columns as u32);
    let grid = Grid::new([rows.div_ceil(TILE), columns.div_ceil(TILE), 1], THREADS);
    // SAFETY: the caller's buffers have rows times columns values and are different ones.
    unsafe { device.launch(kernel, grid, (from, rows, columns, to)) }
}

impl VendorKernel for Convolution {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn scratch_bytes(&self) -> usize {
        self.filter_bytes() + self.workspace
    }

    fn launch(&mut self, device: &Device, operands: &Operands) -> Result<(), CudaError> {
        let Operands { left, right, to, accumulate, scratch } = *operands;
        let workspace = scratch.cast::<u8>().add(self.filter_bytes()).address() as *mut c_void;
        if self.product != Product::WeightGradient {
            bring_filters(device, &self.geometry, self.element, right.cast(), scratch)?;
        }
        let library = device.vendor()?.cudnn()?;
        let (one, sum) = (1.0f32, if accumulate { 1.0f32 } else { 0.0 });
        let (one, sum) = (from_ref(&one).cast(), from_ref(&sum).cast());
        let Descriptors { x, y, w, convolution } = &self.descriptors;
        let left = left.address() as *const c_void;
        let right = right.address() as *const c_void;
        let filters_at = scratch.address() as *mut c_void;
        let to_at = to.address() as *mut c_void;
        let (function, status) = {
            let handle = library.handle.lock().unwrap_or_else(PoisonError::into_inner);
            // SAFETY: the handle is alive and this thread's, and so is the stream.
            let status = unsafe { (library.functions.cudnnSetStream)(handle.0, device.stream().cast()) };
            library.check("cudnnSetStream", status).map_err(|failure| failure.on(device))?;
            // SAFETY: handle and descriptors are alive; the caller's buffers are as large as the descriptors say, the scratch
            // memory has room for the filters and for the workspace that the algorithm asked for. Nobody else uses that until
            // the stream is there.
            unsafe {
                match self.algorithm {
                    Algorithm::Forward(algorithm) => (
                        "cudnnConvolutionForward",
                        (library.functions.cudnnConvolutionForward)(
                            handle.0,
                            one,
                            x.raw(),
                            left,
                            w.raw(),
                            filters_at,
                            convolution.raw(),
                            algorithm,
                            workspace,
                            self.workspace,
                            sum,
                            y.raw(),
                            to_at,
                        ),
                    ),
                    Algorithm::Input(algorithm) => (
                        "cudnnConvolutionBackwardData",
                        (library.functions.cudnnConvolutionBackwardData)(
                            handle.0,
                            one,
                            w.raw(),
                            filters_at,
                            y.raw(),
                            left,
                            convolution.raw(),
                            algorithm,
                            workspace,
                            self.workspace,
                            sum,
                            x.raw(),
                            to_at,
                        ),
                    ),
                    Algorithm::Weight(algorithm) => (
                        "cudnnConvolutionBackwardFilter",
                        (library.functions.cudnnConvolutionBackwardFilter)(
                            handle.0,
                            one,
                            x.raw(),
                            left,
                            y.raw(),
                            right,
                            convolution.raw(),
                            algorithm,
                            workspace,
                            self.workspace,
                            sum,
                            w.raw(),
                            filters_at,
                        ),
                    ),
                }
            }
        };
        library.check(function, status).map_err(|failure| failure.on(device))?;
        device.wait_if_blocking(|| format!("{}, {}", self.name, self.product))?;
        if self.product == Product::WeightGradient {
            take_filters(device, &self.geometry, self.element, scratch, to.cast())?;
        }
        Ok(())
    }
}
