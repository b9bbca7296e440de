//! cuBLASLt: dense layers and convolutions with 1x1 filters, which are products of matrices as everything lies.
//!
//! The library counts down columns: a matrix that lies row by row is to it the transposed one. So it is asked for the
//! transposed product, whose factors come in the other order.

#![allow(unsafe_code, reason = "calls of the library")]

mod matmul;

use core::{
    ffi::{c_char, c_int, c_void},
    mem::{MaybeUninit, size_of_val},
    ptr::{addr_of, from_ref, null_mut},
};

use cudarc::cublaslt::sys::{
    self, cublasComputeType_t as Compute, cublasLtContext, cublasLtMatmulAlgo_t, cublasLtMatmulDesc_t,
    cublasLtMatmulDescAttributes_t as Attribute, cublasLtMatmulDescOpaque_t, cublasLtMatmulHeuristicResult_t,
    cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t as Preference,
    cublasLtMatmulPreferenceOpaque_t, cublasLtMatrixLayout_t, cublasLtMatrixLayoutOpaque_t,
    cublasLtReductionScheme_t as Reduction, cublasStatus_t, cudaDataType_t, cudaStream_t,
};

use super::{
    descriptor::Descriptor,
    library::{Failure, Wanted, function, functions, text},
};
use crate::{Precision, Product, element::Element, geometry::Geometry};
use matmul::{Matmul, MatmulShape};

functions! {
    /// What is used of the library.
    Functions -> cublasStatus_t:
    fn cublasLtCreate(*mut *mut cublasLtContext);
    fn cublasLtDestroy(*mut cublasLtContext);
    fn cublasLtMatmulDescCreate(*mut cublasLtMatmulDesc_t, Compute, cudaDataType_t);
    fn cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t);
    fn cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t, Attribute, *const c_void, usize);
    fn cublasLtMatrixLayoutCreate(*mut cublasLtMatrixLayout_t, cudaDataType_t, u64, u64, i64);
    fn cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t);
    fn cublasLtMatmulPreferenceCreate(*mut cublasLtMatmulPreference_t);
    fn cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t);
    fn cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t, Preference, *const c_void, usize);
    fn cublasLtMatmulAlgoGetHeuristic(
        *mut cublasLtContext, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
        cublasLtMatrixLayout_t, cublasLtMatmulPreference_t, c_int, *mut cublasLtMatmulHeuristicResult_t, *mut c_int,
    );
    fn cublasLtMatmul(
        *mut cublasLtContext, cublasLtMatmulDesc_t, *const c_void, *const c_void, cublasLtMatrixLayout_t, *const c_void,
        cublasLtMatrixLayout_t, *const c_void, *const c_void, cublasLtMatrixLayout_t, *mut c_void, cublasLtMatrixLayout_t,
        *const cublasLtMatmulAlgo_t, *mut c_void, usize, cudaStream_t,
    );
}

const WANTED: Wanted = Wanted {
    name: "cuBLASLt",
    files: &["libcublasLt.so.13", "libcublasLt.so.12"],
    folders: &["cu13/lib", "cublas/lib"],
    package: "nvidia-cublas",
};

/// What NVIDIA recommends for the largest cards.
const WORKSPACE: u64 = 32 << 20;
/// Of device memory that was allocated, and the most that the library asks after.
const ALIGNMENT: u32 = 256;
const UNSUPPORTED: u32 = cublasStatus_t::CUBLAS_STATUS_NOT_SUPPORTED as u32;

/// The library with a handle in the context that it was opened in.
pub(super) struct CublasLt {
    functions: &'static Functions,
    /// Statuses in words.
    text: unsafe extern "C" fn(u32) -> *const c_char,
    handle: *mut cublasLtContext,
    version: usize,
}

// SAFETY: the library's functions may be called from several threads at a time, with one handle too.
unsafe impl Send for CublasLt {}
// SAFETY: as above.
unsafe impl Sync for CublasLt {}

impl CublasLt {
    /// Opens the library and makes a handle in the context of this thread; else says why it is not there.
    pub fn open() -> Result<Self, String> {
        let mut own = Self::load()?;
        // SAFETY: the pointer is to a field.
        let status = unsafe { (own.functions.cublasLtCreate)(&mut own.handle) };
        own.check("cublasLtCreate", status).map_err(|failure| WANTED.unusable(&failure))?;
        Ok(own)
    }

    /// Opens the library, for what needs no handle.
    fn load() -> Result<Self, String> {
        let library = WANTED.open()?;
        let load = || {
            // SAFETY: the types are those of the library's header, with statuses as numbers.
            let (text, version) = unsafe {
                (
                    function(&library, "cublasLtGetStatusString")?,
                    function::<unsafe extern "C" fn() -> usize>(&library, "cublasLtGetVersion")?,
                )
            };
            Ok((Functions::load(&library)?, text, version))
        };
        let (functions, text, version) = load().map_err(|reason: String| WANTED.missing(&reason))?;
        // Functions stay valid: NVIDIA's libraries are not made for being unloaded.
        core::mem::forget(library);
        // SAFETY: it only tells a number.
        let version = unsafe { version() };
        Ok(Self { functions: Box::leak(Box::new(functions)), text, handle: null_mut(), version })
    }

    pub fn name(&self) -> String {
        // 130100 is 13.1.0; 120804 is 12.8.4.
        let (major, minor) = (self.version / 10_000, self.version / 100 % 100);
        format!("cuBLASLt {major}.{minor}.{}", self.version % 100)
    }

    fn check(&self, function: &'static str, status: u32) -> Result<(), Failure> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: the function takes any number and returns a static string.
        let words = unsafe { text((self.text)(status)) };
        Err(self.failure(function, format!("status {status}, {words}"), status == UNSUPPORTED))
    }

    fn failure(&self, function: &'static str, status: String, unsupported: bool) -> Failure {
        Failure { library: self.name(), function, status, unsupported }
    }

    /// A product of matrices, with the first of the library's algorithms for it that adds up in one order.
    pub fn matmul(
        &self,
        geometry: &Geometry,
        product: Product,
        precision: Precision,
        parameter: usize,
    ) -> Result<Matmul, Failure> {
        let shape = MatmulShape::new(geometry, product);
        let operation = self.operation(&shape, precision)?;
        let layouts = self.layouts(&shape, precision, product)?;
        let rounded = match (Element::of(precision), product) {
            (Element::Bf16, Product::Forward | Product::InputGradient) => geometry.weights(),
            _ => 0,
        };
        // What is rounded begins where the scratch memory does.
        let parameter = if rounded > 0 { 0 } else { parameter };
        let preference = self.preference(alignments(product, parameter))?;
        let (algorithm, workspace) = self.algorithm(&operation, &layouts, &preference)?;
        Ok(Matmul { name: self.name(), operation, layouts, algorithm, workspace, product, rounded })
    }

    /// Of the factors and of the product. In bf16 the gradient of the weights is f32 all the same.
    fn layouts(
        &self,
        shape: &MatmulShape,
        precision: Precision,
        product: Product,
    ) -> Result<[Descriptor<cublasLtMatrixLayoutOpaque_t>; 3], Failure> {
        let number = match Element::of(precision) {
            Element::F32 => cudaDataType_t::CUDA_R_32F,
            Element::Bf16 => cudaDataType_t::CUDA_R_16BF,
        };
        let to = if product == Product::WeightGradient { cudaDataType_t::CUDA_R_32F } else { number };
        let of = [shape.rows, shape.columns];
        Ok([self.layout(number, shape.a)?, self.layout(number, shape.b)?, self.layout(to, of)?])
    }

    fn operation(
        &self,
        shape: &MatmulShape,
        precision: Precision,
    ) -> Result<Descriptor<cublasLtMatmulDescOpaque_t>, Failure> {
        let compute = match precision {
            // Of bf16 the factors are so already.
            Precision::Single | Precision::Bf16 => Compute::CUBLAS_COMPUTE_32F,
            Precision::Tf32 => Compute::CUBLAS_COMPUTE_32F_FAST_TF32,
        };
        let Functions { cublasLtMatmulDescCreate: create, cublasLtMatmulDescDestroy: destroy, .. } =
            *self.functions;
        // SAFETY: the pair belongs together.
        let own =
            unsafe { Descriptor::new(|place| create(place, compute, cudaDataType_t::CUDA_R_32F), destroy) };
        let own = self.created("cublasLtMatmulDescCreate", own)?;
        let transposed = [
            (Attribute::CUBLASLT_MATMUL_DESC_TRANSA, shape.transposed[0]),
            (Attribute::CUBLASLT_MATMUL_DESC_TRANSB, shape.transposed[1]),
        ];
        for (attribute, transposed) in transposed {
            let value = i32::from(transposed);
            // SAFETY: the descriptor is alive, the attribute is of so many bytes. Of the operations 0 is none, 1 to transpose.
            let status = unsafe {
                (self.functions.cublasLtMatmulDescSetAttribute)(
                    own.raw(),
                    attribute,
                    from_ref(&value).cast(),
                    size_of_val(&value),
                )
            };
            self.check("cublasLtMatmulDescSetAttribute", status)?;
        }
        Ok(own)
    }

    /// A matrix that lies column by column.
    fn layout(
        &self,
        number: cudaDataType_t,
        [rows, columns]: [usize; 2],
    ) -> Result<Descriptor<cublasLtMatrixLayoutOpaque_t>, Failure> {
        let Functions { cublasLtMatrixLayoutCreate: create, cublasLtMatrixLayoutDestroy: destroy, .. } =
            *self.functions;
        let (rows, columns, leading) = (rows as u64, columns as u64, rows as i64);
        // SAFETY: the pair belongs together.
        let own = unsafe { Descriptor::new(|place| create(place, number, rows, columns, leading), destroy) };
        self.created("cublasLtMatrixLayoutCreate", own)
    }

    fn preference(
        &self,
        [a, b, to]: [u32; 3],
    ) -> Result<Descriptor<cublasLtMatmulPreferenceOpaque_t>, Failure> {
        let Functions {
            cublasLtMatmulPreferenceCreate: create,
            cublasLtMatmulPreferenceDestroy: destroy,
            cublasLtMatmulPreferenceSetAttribute: set,
            ..
        } = *self.functions;
        // SAFETY: the pair belongs together.
        let own = unsafe { Descriptor::new(|place| create(place), destroy) };
        let own = self.created("cublasLtMatmulPreferenceCreate", own)?;
        let put = |attribute, value: *const c_void, bytes| {
            // SAFETY: the descriptor is alive, the attribute is of so many bytes.
            self.check("cublasLtMatmulPreferenceSetAttribute", unsafe {
                set(own.raw(), attribute, value, bytes)
            })
        };
        let workspace = from_ref(&WORKSPACE).cast();
        put(Preference::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace, size_of_val(&WORKSPACE))?;
        // What is cut in depth is added up in a step of its own: not in place, where whoever comes first is first.
        let scheme = Reduction::CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE as u32;
        put(
            Preference::CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
            from_ref(&scheme).cast(),
            size_of_val(&scheme),
        )?;
        for (attribute, bytes) in [
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, a),
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, b),
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, to),
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, to),
        ] {
            put(attribute, from_ref(&bytes).cast(), size_of_val(&bytes))?;
        }
        Ok(own)
    }

    /// The library's first choice, and the workspace that it needs.
    fn algorithm(
        &self,
        operation: &Descriptor<cublasLtMatmulDescOpaque_t>,
        [a, b, to]: &[Descriptor<cublasLtMatrixLayoutOpaque_t>; 3],
        preference: &Descriptor<cublasLtMatmulPreferenceOpaque_t>,
    ) -> Result<(cublasLtMatmulAlgo_t, usize), Failure> {
        const FUNCTION: &str = "cublasLtMatmulAlgoGetHeuristic";
        let (mut result, mut count) = (MaybeUninit::<cublasLtMatmulHeuristicResult_t>::zeroed(), 0);
        // SAFETY: handle and descriptors are alive; there is room for the one result that is asked for.
        let status = unsafe {
            (self.functions.cublasLtMatmulAlgoGetHeuristic)(
                self.handle,
                operation.raw(),
                a.raw(),
                b.raw(),
                to.raw(),
                to.raw(),
                preference.raw(),
                1,
                result.as_mut_ptr(),
                &mut count,
            )
        };
        self.check(FUNCTION, status)?;
        let at = result.as_ptr();
        // SAFETY: all bytes were zero or written since. The state is read as the number that it may be, not as the
        // enumeration.
        let (algorithm, workspace, state) = unsafe {
            (
                addr_of!((*at).algo).read(),
                addr_of!((*at).workspaceSize).read(),
                addr_of!((*at).state).cast::<u32>().read(),
            )
        };
        if count < 1 {
            return Err(self.failure(FUNCTION, "no algorithm".to_owned(), true));
        }
        self.check(FUNCTION, state)?;
        Ok((algorithm, workspace))
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

impl Drop for CublasLt {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: nobody else has the handle. A failure has nobody to go to.
            let _ = unsafe { (self.functions.cublasLtDestroy)(self.handle) };
        }
    }
}

/// Bytes that the addresses of the factors and of the product are multiples of, where parameters lie `parameter` values from
/// a buffer's start.
fn alignments(product: Product, parameter: usize) -> [u32; 3] {
    let weights =
        if parameter == 0 { ALIGNMENT } else { ALIGNMENT.min(4 << parameter.trailing_zeros().min(6)) };
    match product {
        Product::Forward | Product::InputGradient => [weights, ALIGNMENT, ALIGNMENT],
        Product::WeightGradient => [ALIGNMENT, ALIGNMENT, weights],
    }
}

#[cfg(test)]
mod tests {
    use sam_model::Shape;

    use super::*;
    use crate::vendor::tests::found;

    /// On the library itself, where it is; needs no device.
    #[test]
    fn descriptors_can_be_made() {
        let Some(library) = found(CublasLt::load()) else { return };
        let (input, output) = (Shape::new(5, 4, 30), Shape::new(5, 4, 19));
        let geometry = Geometry { samples: 3, input, output, kernel: 1, stride: 1, padding: [0, 0] };
        for product in Product::ALL {
            let shape = MatmulShape::new(&geometry, product);
            for precision in [Precision::Single, Precision::Tf32, Precision::Bf16] {
                library.operation(&shape, precision).unwrap();
                library.layouts(&shape, precision, product).unwrap();
            }
            for parameter in [0, 1, 2, 48, 4096] {
                library.preference(alignments(product, parameter)).unwrap();
            }
        }
    }

    #[test]
    fn alignments_are_what_addresses_have() {
        for (parameter, bytes) in [(0, 256), (1, 4), (6, 8), (64, 256), (96, 128), (4096, 256)] {
            assert_eq!(alignments(Product::Forward, parameter), [bytes, 256, 256]);
            assert_eq!(alignments(Product::WeightGradient, parameter), [256, 256, bytes]);
        }
    }
}
