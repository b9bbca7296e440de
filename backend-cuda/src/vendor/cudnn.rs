//! cuDNN: convolutions.
//!
//! Images lie as this crate's do. Filters are to the library filters x rows x columns x channels, so that they are
//! transposed on their way in, and their gradient on its way out; both are small beside the images. In bf16 the library has filters
//! and their gradient so too: the former are rounded on their way in, the latter is f32 again on its way out.
//!
//! Algorithms are those that the library's manual says are deterministic and takes channels last for.

#![allow(unsafe_code, reason = "calls of the library")]

mod convolution;
mod functions;
mod graph;

use core::{
    ffi::{c_char, c_int},
    ptr::null_mut,
};
use std::sync::{Mutex, PoisonError};

use cudarc::cudnn::sys::{
    cudnnContext, cudnnConvolutionMode_t, cudnnConvolutionStruct, cudnnDataType_t, cudnnFilterStruct,
    cudnnMathType_t, cudnnTensorFormat_t, cudnnTensorStruct,
};
use sam_model::Shape;

use super::{
    VendorKernel,
    descriptor::Descriptor,
    library::{Failure, Wanted, function, text},
};
use crate::{Precision, Product, element::Element, geometry::Geometry};
use convolution::{Algorithm, Convolution, Descriptors};
use functions::Functions;
pub(crate) use graph::FusedConvolution;
use graph::{GraphProduct, Plans};

const WANTED: Wanted = Wanted {
    name: "cuDNN",
    files: &["libcudnn.so.9"],
    folders: &["cudnn/lib"],
    package: "nvidia-cudnn-cu13",
};

/// What is added up in.
const FLOAT: cudnnDataType_t = cudnnDataType_t::CUDNN_DATA_FLOAT;
const CHANNELS_LAST: cudnnTensorFormat_t = cudnnTensorFormat_t::CUDNN_TENSOR_NHWC;
/// Statuses that say that there is no such thing: `NOT_SUPPORTED`, and `BAD_PARAM`, which is what the older functions answer to shapes
/// that they don't have.
const UNSUPPORTED: core::ops::Range<u32> = 2000..4000;

/// The library with a handle in the context that it was opened in.
pub(super) struct Cudnn {
    functions: &'static Functions,
    /// Statuses in words.
    text: unsafe extern "C" fn(u32) -> *const c_char,
    /// For one thread at a time.
    handle: Mutex<Handle>,
    version: usize,
    /// Of graphs of operations.
    plans: Plans,
}

struct Handle(*mut cudnnContext);

// SAFETY: the library takes a handle from any thread, one at a time.
unsafe impl Send for Handle {}

impl Cudnn {
    /// Opens the library and makes a handle in the context of this thread; else says why it is not there.
    pub fn open() -> Result<Self, String> {
        let mut own = Self::load()?;
        let handle = own.handle.get_mut().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the pointer is to a field.
        let status = unsafe { (own.functions.cudnnCreate)(&mut handle.0) };
        own.check("cudnnCreate", status).map_err(|failure| WANTED.unusable(&failure))?;
        Ok(own)
    }

    /// Opens the library, for what needs no handle.
    fn load() -> Result<Self, String> {
        let library = WANTED.open()?;
        let load = || {
            // SAFETY: the types are those of the library's header, with statuses as numbers.
            let (text, version) = unsafe {
                (
                    function(&library, "cudnnGetErrorString")?,
                    function::<unsafe extern "C" fn() -> usize>(&library, "cudnnGetVersion")?,
                )
            };
            Ok((Functions::load(&library)?, text, version))
        };
        let (functions, text, version) = load().map_err(|reason: String| WANTED.missing(&reason))?;
        // Functions stay valid: NVIDIA's libraries are not made for being unloaded.
        core::mem::forget(library);
        // SAFETY: it only tells a number.
        let version = unsafe { version() };
        let handle = Mutex::new(Handle(null_mut()));
        let plans = Plans::default();
        Ok(Self { functions: Box::leak(Box::new(functions)), text, handle, version, plans })
    }

    pub fn name(&self) -> String {
        // 91002 is 9.10.2.
        format!("cuDNN {}.{}.{}", self.version / 10_000, self.version / 100 % 100, self.version % 100)
    }

    fn check(&self, function: &'static str, status: u32) -> Result<(), Failure> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: the function takes any number and returns a static string.
        let words = unsafe { text((self.text)(status)) };
        Err(self.failure(function, format!("status {status}, {words}"), UNSUPPORTED.contains(&status)))
    }

    fn failure(&self, function: &'static str, status: String, unsupported: bool) -> Failure {
        Failure { library: self.name(), function, status, unsupported }
    }

    /// One of a convolution's products; by the graph interface where the older functions have not the convolution.
    pub fn convolution(
        &self,
        geometry: &Geometry,
        product: Product,
        precision: Precision,
    ) -> Result<Box<dyn VendorKernel>, Failure> {
        let descriptors = self.descriptors(geometry, precision)?;
        match self.check_output(&descriptors, geometry) {
            Ok(()) => {}
            Err(failure) if failure.unsupported => {
                let own = GraphProduct::new(self, geometry, product, precision);
                // Whatever goes wrong there, this crate has the product too.
                let own = own.map_err(|failure| Failure { unsupported: true, ..failure })?;
                return Ok(Box::new(own));
            }
            Err(failure) => return Err(failure),
        }
        let (algorithm, workspace) = self.algorithm(&descriptors, product)?;
        let (name, geometry, element) = (self.name(), *geometry, Element::of(precision));
        Ok(Box::new(Convolution { name, descriptors, algorithm, workspace, product, geometry, element }))
    }

    /// A convolution forwards with the sums that a normalisation wants of its output, to which a tensor is added before if `add`; products of
    /// numbers for tensor cores only.
    pub fn fused(
        &self,
        geometry: &Geometry,
        precision: Precision,
        add: bool,
    ) -> Result<FusedConvolution, Failure> {
        if precision == Precision::Single {
            let only = "engines for fused convolutions are for tensor cores".to_owned();
            return Err(self.failure("fused convolution", only, true));
        }
        FusedConvolution::new(self, geometry, precision, add)
    }

    fn descriptors(&self, geometry: &Geometry, precision: Precision) -> Result<Descriptors, Failure> {
        let Geometry { samples, input, output, kernel, .. } = *geometry;
        let (math, number) = match precision {
            Precision::Single => (cudnnMathType_t::CUDNN_FMA_MATH, FLOAT),
            Precision::Tf32 => (cudnnMathType_t::CUDNN_DEFAULT_MATH, FLOAT),
            // On tensor cores, of numbers as they are.
            Precision::Bf16 => (cudnnMathType_t::CUDNN_TENSOR_OP_MATH, cudnnDataType_t::CUDNN_DATA_BFLOAT16),
        };
        Ok(Descriptors {
            x: self.tensor(number, samples, input)?,
            y: self.tensor(number, samples, output)?,
            w: self.filters(number, [output.channels, input.channels, kernel, kernel])?,
            convolution: self.geometry(geometry, math)?,
        })
    }

    fn tensor(
        &self,
        number: cudnnDataType_t,
        samples: usize,
        shape: Shape,
    ) -> Result<Descriptor<cudnnTensorStruct>, Failure> {
        let Functions { cudnnCreateTensorDescriptor: create, cudnnDestroyTensorDescriptor: destroy, .. } =
            *self.functions;
        // SAFETY: the pair belongs together.
        let own = unsafe { Descriptor::new(|place| create(place), destroy) };
        let own = self.created("cudnnCreateTensorDescriptor", own)?;
        let [n, c, h, w] = [samples, shape.channels, shape.height, shape.width].map(|extent| extent as c_int);
        // SAFETY: the descriptor is alive.
        let status = unsafe {
            (self.functions.cudnnSetTensor4dDescriptor)(own.raw(), CHANNELS_LAST, number, n, c, h, w)
        };
        self.check("cudnnSetTensor4dDescriptor", status)?;
        Ok(own)
    }

    fn filters(
        &self,
        number: cudnnDataType_t,
        extents: [usize; 4],
    ) -> Result<Descriptor<cudnnFilterStruct>, Failure> {
        let Functions { cudnnCreateFilterDescriptor: create, cudnnDestroyFilterDescriptor: destroy, .. } =
            *self.functions;
        // SAFETY: the pair belongs together.
        let own = unsafe { Descriptor::new(|place| create(place), destroy) };
        let own = self.created("cudnnCreateFilterDescriptor", own)?;
        let [k, c, h, w] = extents.map(|extent| extent as c_int);
        // SAFETY: the descriptor is alive.
        let status = unsafe {
            (self.functions.cudnnSetFilter4dDescriptor)(own.raw(), number, CHANNELS_LAST, k, c, h, w)
        };
        self.check("cudnnSetFilter4dDescriptor", status)?;
        Ok(own)
    }

    fn geometry(
        &self,
        geometry: &Geometry,
        math: cudnnMathType_t,
    ) -> Result<Descriptor<cudnnConvolutionStruct>, Failure> {
        let Functions {
            cudnnCreateConvolutionDescriptor: create,
            cudnnDestroyConvolutionDescriptor: destroy,
            ..
        } = *self.functions;
        // SAFETY: the pair belongs together.
        let own = unsafe { Descriptor::new(|place| create(place), destroy) };
        let own = self.created("cudnnCreateConvolutionDescriptor", own)?;
        let ([rows, columns], stride) =
            (geometry.padding.map(|extent| extent as c_int), geometry.stride as c_int);
        // Filters are not turned around, nor spread.
        let mode = cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        // SAFETY: the descriptor is alive.
        let status = unsafe {
            (self.functions.cudnnSetConvolution2dDescriptor)(
                own.raw(),
                rows,
                columns,
                stride,
                stride,
                1,
                1,
                mode,
                FLOAT,
            )
        };
        self.check("cudnnSetConvolution2dDescriptor", status)?;
        // SAFETY: as above.
        let status = unsafe { (self.functions.cudnnSetConvolutionMathType)(own.raw(), math) };
        self.check("cudnnSetConvolutionMathType", status)?;
        Ok(own)
    }

    /// The library's idea of the output's shape must be ours: it is not where the image is padded by more behind than before.
    fn check_output(&self, descriptors: &Descriptors, geometry: &Geometry) -> Result<(), Failure> {
        const FUNCTION: &str = "cudnnGetConvolution2dForwardOutputDim";
        let mut found: [c_int; 4] = [0; 4];
        let [n, c, h, w] = &mut found;
        // SAFETY: descriptors are alive, pointers are to local variables.
        let status = unsafe {
            (self.functions.cudnnGetConvolution2dForwardOutputDim)(
                descriptors.convolution.raw(),
                descriptors.x.raw(),
                descriptors.w.raw(),
                n,
                c,
                h,
                w,
            )
        };
        self.check(FUNCTION, status)?;
        let Geometry { samples, output, .. } = *geometry;
        let expected = [samples, output.channels, output.height, output.width].map(|extent| extent as c_int);
        if found == expected {
            return Ok(());
        }
        Err(self.failure(FUNCTION, format!("expected an output of {expected:?}, found {found:?}"), true))
    }

    /// The first algorithm that the library has for this, and the workspace that it needs.
    fn algorithm(&self, descriptors: &Descriptors, product: Product) -> Result<(Algorithm, usize), Failure> {
        let mut refusal = self.failure("no algorithm", String::new(), true);
        for &algorithm in Algorithm::of(product) {
            let mut bytes = 0;
            let (function, status) = self.workspace(descriptors, algorithm, &mut bytes);
            match self.check(function, status) {
                Ok(()) => return Ok((algorithm, bytes)),
                Err(failure) if failure.unsupported => refusal = failure,
                Err(failure) => return Err(failure),
            }
        }
        Err(refusal)
    }

    fn workspace(
        &self,
        descriptors: &Descriptors,
        algorithm: Algorithm,
        bytes: &mut usize,
    ) -> (&'static str, u32) {
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        let [x, y] = [descriptors.x.raw(), descriptors.y.raw()];
        let (w, convolution) = (descriptors.w.raw(), descriptors.convolution.raw());
        // SAFETY: handle and descriptors are alive, the pointer is to a variable.
        unsafe {
            match algorithm {
                Algorithm::Forward(algorithm) => (
                    "cudnnGetConvolutionForwardWorkspaceSize",
                    (self.functions.cudnnGetConvolutionForwardWorkspaceSize)(
                        handle.0,
                        x,
                        w,
                        convolution,
                        y,
                        algorithm,
                        bytes,
                    ),
                ),
                Algorithm::Input(algorithm) => (
                    "cudnnGetConvolutionBackwardDataWorkspaceSize",
                    (self.functions.cudnnGetConvolutionBackwardDataWorkspaceSize)(
                        handle.0,
                        w,
                        y,
                        convolution,
                        x,
                        algorithm,
                        bytes,
                    ),
                ),
                Algorithm::Weight(algorithm) => (
                    "cudnnGetConvolutionBackwardFilterWorkspaceSize",
                    (self.functions.cudnnGetConvolutionBackwardFilterWorkspaceSize)(
                        handle.0,
                        x,
                        y,
                        convolution,
                        w,
                        algorithm,
                        bytes,
                    ),
                ),
            }
        }
    }

    fn created<T>(
        &self,
        function: &'static str,
        result: Result<Descriptor<T>, u32>,
    ) -> Result<Descriptor<T>, Failure> {
        result.map_err(|status| match self.check(function, status) {
            Err(failure) => failure,
            Ok(()) => self.failure(function, "no status".to_owned(), false),
        })
    }
}

impl Drop for Cudnn {
    fn drop(&mut self) {
        let handle = self.handle.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !handle.0.is_null() {
            // SAFETY: nobody else has the handle. A failure has nobody to go to.
            let _ = unsafe { (self.functions.cudnnDestroy)(handle.0) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendor::tests::found;

    /// On the library itself, where it is; needs no device. Its idea of the output's shape is this crate's.
    #[test]
    fn descriptors_can_be_made() {
        let Some(library) = found(Cudnn::load()) else { return };
        let shapes = [
            (8, 7, 3, 3, 1, 1),
            (9, 9, 5, 3, 2, 1),
            (6, 5, 4, 2, 1, 0),
            (8, 8, 16, 1, 2, 0),
            (7, 7, 1, 5, 3, 2),
        ];
        for (height, width, channels, kernel, stride, padding) in shapes {
            let extent = |of: usize| (of + 2 * padding - kernel) / stride + 1;
            let (input, output) =
                (Shape::new(height, width, channels), Shape::new(extent(height), extent(width), 6));
            let geometry = Geometry { samples: 4, input, output, kernel, stride, padding: [padding; 2] };
            for precision in [Precision::Single, Precision::Tf32, Precision::Bf16] {
                let descriptors = library.descriptors(&geometry, precision).unwrap();
                library.check_output(&descriptors, &geometry).unwrap();
            }
            let wrong = Geometry { output: Shape::new(extent(height) + 1, extent(width), 6), ..geometry };
            let descriptors = library.descriptors(&wrong, Precision::Single).unwrap();
            assert!(library.check_output(&descriptors, &wrong).unwrap_err().unsupported);
        }
    }
}
