//! NVIDIA's libraries: cuBLASLt for products of matrices, cuDNN for convolutions, NCCL for messages between GPUs. They are looked for when somebody asks
//! for them, never linked and never needed.
//!
//! Types, enumerations and signatures are those of cudarc's raw bindings. Its loader is not used: it takes the first file
//! of a list of names and panics where a function is missing, and a status that is newer than its enumerations would not be
//! a value of them at all. [`library`] opens one file, says what it looked for, and statuses stay numbers.

mod cublaslt;
mod cudnn;
mod descriptor;
mod library;
mod nccl;
mod trials;
mod verdicts;

pub(crate) use cudnn::FusedConvolution;
pub(crate) use nccl::{Connection, Nccl};
pub(crate) use verdicts::{Fusion, Key, Verdict};

use cublaslt::CublasLt;
use cudnn::Cudnn;
use library::Failure;
use trials::Trials;
use verdicts::Shelf;

use crate::{
    CudaError, Device, KernelChoice, Precision, Product, Ptr, PtrMut, element::Value, geometry::Geometry,
};

/// The libraries, as far as they were found, the reason where one was not; and what trials of their kernels came to. A device keeps
/// them.
pub(crate) struct Vendor {
    cublaslt: Result<CublasLt, String>,
    cudnn: Result<Cudnn, String>,
    trials: Trials,
}

/// A product as a library computes it, for one number of samples, with all that can be prepared.
pub(crate) trait VendorKernel: Send {
    /// The library and what was chosen of it.
    fn name(&self) -> String;

    /// Bytes of scratch memory that it needs.
    fn scratch_bytes(&self) -> usize;

    /// Has the product computed after all work asked for before; a bias is not added. Neither waits nor allocates.
    fn launch(&mut self, device: &Device, operands: &Operands) -> Result<(), CudaError>;
}

/// What a product is of and where it goes. Weights and their gradient are f32, all else is what activations are kept as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operands {
    /// The input; for the input's gradient that of the output.
    pub left: Ptr<Value>,
    /// The weights; for their gradient that of the output.
    pub right: Ptr<Value>,
    pub to: PtrMut<Value>,
    /// Whether it is added to what is there: for the input's gradient only.
    pub accumulate: bool,
    pub scratch: PtrMut<f64>,
}

/// What a fused convolution is of and where it goes. Weights and sums are f32, all else is what activations are kept as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FusedOperands {
    pub input: Ptr<Value>,
    pub filters: Ptr<f32>,
    pub addend: Option<Ptr<Value>>,
    pub output: PtrMut<Value>,
    /// Of each channel of the output the sum over all pixels, and that of the squares.
    pub sums: [PtrMut<f32>; 2],
    pub scratch: PtrMut<f64>,
}

/// Bytes of workspace that a library may take for a product.
const MOST_WORKSPACE: usize = 1 << 30;

impl Vendor {
    /// Looks for the libraries. The device's context must be this thread's.
    pub fn open() -> Self {
        Self { cublaslt: CublasLt::open(), cudnn: Cudnn::open(), trials: Trials::default() }
    }

    /// Why a library is not there, if one is not.
    pub fn missing(&self) -> Option<String> {
        let reasons = [self.cublaslt.as_ref().err(), self.cudnn.as_ref().err()];
        let reasons: Vec<&str> = reasons.into_iter().flatten().map(String::as_str).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// Names and versions of what was found.
    pub fn description(&self) -> String {
        let name = |found: Option<String>, name: &str| found.unwrap_or_else(|| format!("no {name}"));
        let cublaslt = name(self.cublaslt.as_ref().ok().map(CublasLt::name), "cuBLASLt");
        let cudnn = name(self.cudnn.as_ref().ok().map(Cudnn::name), "cuDNN");
        format!("{cublaslt}, {cudnn}")
    }

    /// A kernel for a product; or why there is none, which is no error: another kernel computes it.
    ///
    /// Weights and their gradients lie `parameter` values from a buffer's start, all else at the start.
    ///
    /// # Errors
    /// A library that fails in another way than by saying that it doesn't support the product.
    pub fn kernel(
        &self,
        device: &Device,
        geometry: &Geometry,
        product: Product,
        precision: Precision,
        parameter: usize,
    ) -> Result<Result<Box<dyn VendorKernel>, String>, CudaError> {
        let found: Result<Box<dyn VendorKernel>, Failure> = if geometry.is_matrix() {
            match &self.cublaslt {
                Err(reason) => return Ok(Err(reason.clone())),
                Ok(library) => {
                    library.matmul(geometry, product, precision, parameter).map(|own| Box::new(own) as _)
                }
            }
        } else {
            match &self.cudnn {
                Err(reason) => return Ok(Err(reason.clone())),
                Ok(library) => library.convolution(geometry, product, precision),
            }
        };
        match found {
            Ok(kernel) if kernel.scratch_bytes() > MOST_WORKSPACE => {
                Ok(Err(wants(&kernel.name(), kernel.scratch_bytes())))
            }
            Ok(kernel) => Ok(Ok(kernel)),
            Err(failure) if failure.unsupported => Ok(Err(failure.to_string())),
            Err(failure) => Err(failure.on(device)),
        }
    }

    /// A convolution forwards together with what a normalisation behind it wants, and an addition between the two if `add`; or why there is
    /// none. Any failure is such a reason: what is fused is computed otherwise too.
    pub fn fused(
        &self,
        geometry: &Geometry,
        precision: Precision,
        add: bool,
    ) -> Result<FusedConvolution, String> {
        let kernel = self.cudnn.as_ref().map_err(Clone::clone)?.fused(geometry, precision, add);
        let kernel = kernel.map_err(|failure| failure.to_string())?;
        match kernel.scratch_bytes() {
            asked if asked > MOST_WORKSPACE => Err(wants(kernel.name(), asked)),
            _ => Ok(kernel),
        }
    }

    /// Whether a kernel is taken and why, with the kernel: by an earlier trial, of this process or another, or by this one.
    pub fn verdict<K>(
        &self,
        device: &Device,
        key: Key,
        kernel: K,
        trial: impl FnOnce(&mut K) -> Result<Verdict, CudaError>,
    ) -> (Verdict, K) {
        self.trials.verdict(|| Shelf::new(device, &self.description()), key, kernel, trial)
    }

    fn cublaslt(&self) -> Result<&CublasLt, CudaError> {
        self.cublaslt.as_ref().map_err(|missing| CudaError::Libraries { missing: missing.clone() })
    }

    fn cudnn(&self) -> Result<&Cudnn, CudaError> {
        self.cudnn.as_ref().map_err(|missing| CudaError::Libraries { missing: missing.clone() })
    }
}

fn wants(name: &str, asked: usize) -> String {
    format!("{name} wants {} MiB of workspace, more than {}", asked >> 20, MOST_WORKSPACE >> 20)
}

impl Device {
    /// Makes sure that networks can have their kernels from where `choice` says.
    ///
    /// # Errors
    /// [`CudaError::Libraries`], for [`KernelChoice::Vendor`] only, if one of NVIDIA's libraries is not there.
    pub fn check_kernels(&self, choice: KernelChoice) -> Result<(), CudaError> {
        if choice != KernelChoice::Vendor {
            return Ok(());
        }
        match self.vendor()?.missing() {
            None => Ok(()),
            Some(missing) => Err(CudaError::Libraries { missing }),
        }
    }

    /// Names and versions of NVIDIA's libraries, as far as they are there; looks for them.
    ///
    /// # Errors
    /// A device that fails.
    pub fn libraries(&self) -> Result<String, CudaError> {
        Ok(self.vendor()?.description())
    }

    /// NVIDIA's libraries, with the context as this thread's.
    pub(crate) fn vendor(&self) -> Result<&Vendor, CudaError> {
        self.kept(Vendor::open)
    }
}

#[cfg(test)]
mod tests {
    use std::env;

    /// What was found; says that a test is skipped where nothing was, and fails it if `SAM_REQUIRE_VENDOR=1`.
    pub fn found<T>(library: Result<T, String>) -> Option<T> {
        if let Err(reason) = &library {
            let required = env::var_os("SAM_REQUIRE_VENDOR").is_some_and(|value| value == "1");
            assert!(!required, "SAM_REQUIRE_VENDOR=1, but {reason}");
            println!("skipped: {reason}");
        }
        library.ok()
    }
}
