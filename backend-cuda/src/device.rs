//! A device: its context, the stream that all work goes to, and the kernels.

#![allow(unsafe_code, reason = "calls of the driver")]

use core::fmt;
use std::{
    collections::BTreeSet,
    env,
    ffi::CStr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use cust::{
    context::{Context, CurrentContext},
    device::DeviceAttribute,
    sys::{self, CUresult},
};

use crate::{
    Arguments, CudaError, Grid, Kernel, KernelChoice, Precision, driver, graph,
    kernels::{Kernels, TensorKernels},
    layer::Trials,
    stream::Stream,
    vendor::Vendor,
};

/// A GPU, opened. Clones are handles to the same.
///
/// Everything runs on one stream: work is done in the order in which it was asked for, and calls return before it is.
/// A `Device` may be used from several threads.
#[derive(Clone)]
pub struct Device(Arc<Inner>);

/// Fields are dropped in this order: what needs the context goes before it.
struct Inner {
    /// Opened when first asked for.
    vendor: OnceLock<Vendor>,
    trials: Trials,
    kernels: Kernels,
    /// Of compute capability 8.0 and up.
    tensor: Option<TensorKernels>,
    stream: Stream,
    context: Context,
    card: Card,
    blocking: bool,
}

/// What is known about a card; the beginning of error messages.
#[derive(Clone, Debug)]
pub(crate) struct Card {
    name: String,
    driver: i32,
    capability: (i32, i32),
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.capability;
        let driver = self.driver;
        let (cuda, point) = (driver / 1000, driver % 1000 / 10);
        write!(f, "{} (compute capability {major}.{minor}, driver for CUDA {cuda}.{point})", self.name)
    }
}

impl Card {
    pub fn error(&self, doing: impl Into<String>, code: CUresult) -> CudaError {
        let mut explained = error_code(code);
        if let Some(report) = driver::report() {
            explained = format!("{explained}; {report}");
        }
        CudaError::Driver { doing: doing.into(), code: explained, card: self.to_string() }
    }
}

/// The name of a code and what it means.
pub(crate) fn error_code(code: CUresult) -> String {
    let text = |function: unsafe extern "C" fn(CUresult, *mut *const core::ffi::c_char) -> CUresult| {
        let mut text = core::ptr::null();
        // SAFETY: both functions write the address of a static string, or null.
        unsafe {
            let known = function(code, &mut text) == CUresult::CUDA_SUCCESS && !text.is_null();
            known.then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    };
    match (text(sys::cuGetErrorName), text(sys::cuGetErrorString)) {
        (Some(name), Some(meaning)) => format!("{name}, {meaning}"),
        (Some(text), None) | (None, Some(text)) => format!("{code:?}, {text}"),
        (None, None) => format!("{code:?}"),
    }
}

impl Device {
    /// Opens the GPU number `ordinal` and loads the kernels.
    ///
    /// # Errors
    /// [`CudaError::NoDevice`] without a driver or a GPU; [`CudaError::Module`] if the driver is too old for the kernels.
    pub fn new(ordinal: u32) -> Result<Self, CudaError> {
        if let Some(reason) = driver::missing() {
            return Err(CudaError::NoDevice { reason: reason.to_owned() });
        }
        let none = |error: cust::error::CudaError| CudaError::NoDevice {
            reason: format!("the driver answers {error:?} when asked for device {ordinal}"),
        };
        cust::init(cust::CudaFlags::empty()).map_err(none)?;
        let device = cust::device::Device::get_device(ordinal).map_err(none)?;
        keep_context(ordinal, device).map_err(none)?;
        let context = Context::new(device).map_err(none)?;
        CurrentContext::set_current(&context).map_err(none)?;
        let attribute = |attribute| device.get_attribute(attribute).map_err(none);
        let mut version = 0;
        // SAFETY: the pointer is to a local variable.
        let _ = unsafe { sys::cuDriverGetVersion(&mut version) };
        let card = Card {
            name: device.name().map_err(none)?,
            driver: version,
            capability: (
                attribute(DeviceAttribute::ComputeCapabilityMajor)?,
                attribute(DeviceAttribute::ComputeCapabilityMinor)?,
            ),
        };
        let stream = Stream::new().map_err(|code| card.error("creating a stream", code))?;
        let kernels = Kernels::load(&card)?;
        let tensor = (card.capability >= (8, 0)).then(|| TensorKernels::load(&card)).transpose()?;
        let blocking = env::var_os("SAM_CUDA_BLOCKING").is_some_and(|value| value == "1");
        let (vendor, trials) = (OnceLock::new(), Trials::default());
        Ok(Self(Arc::new(Inner { vendor, trials, kernels, tensor, stream, context, card, blocking })))
    }

    /// The card's name, its compute capability and the driver's version.
    #[must_use]
    pub fn description(&self) -> String {
        self.0.card.to_string()
    }

    /// Synchronising calls so far, if the driver counts them: an interpreter of kernels does, NVIDIA's driver does not.
    #[must_use]
    pub fn synchronisations(&self) -> Option<u64> {
        // SAFETY: the type under which the interpreter exports the counter.
        let count: unsafe extern "C" fn() -> u64 =
            unsafe { driver::function("ptx_interpreter_synchronisations") }?;
        // SAFETY: it only reads a counter.
        Some(unsafe { count() })
    }

    /// Waits until all work is done.
    ///
    /// # Errors
    /// [`CudaError::Driver`], also for a failure of earlier work.
    pub fn synchronize(&self) -> Result<(), CudaError> {
        self.bind()?;
        // SAFETY: the stream is alive.
        self.check("waiting for the device", unsafe { sys::cuStreamSynchronize(self.stream()) })
    }

    /// Has `kernel` run after all work asked for before.
    ///
    /// # Errors
    /// [`CudaError::Driver`] with the kernel's name.
    ///
    /// # Safety
    /// The arguments must be what the kernel expects, including the number of elements behind each address, and a kernel
    /// may not write what another argument lets it read, unless it is made for that. Buffers may be dropped
    /// right after: that waits.
    pub unsafe fn launch<A: Arguments>(
        &self,
        kernel: &Kernel<A>,
        grid: Grid,
        arguments: A,
    ) -> Result<(), CudaError> {
        if grid.is_empty() {
            return Ok(());
        }
        self.bind()?;
        let [x, y, z] = grid.blocks;
        let code = arguments.with_pointers(|pointers| {
            // SAFETY: the pointers are to as many arguments of the sizes that the kernel takes; the rest is the caller's.
            unsafe {
                sys::cuLaunchKernel(
                    kernel.function,
                    x,
                    y,
                    z,
                    grid.threads,
                    1,
                    1,
                    0,
                    self.stream(),
                    pointers.as_mut_ptr(),
                    core::ptr::null_mut(),
                )
            }
        });
        let doing =
            || format!("kernel {} in {:?} blocks of {} threads", kernel.name, grid.blocks, grid.threads);
        if code != CUresult::CUDA_SUCCESS {
            return Err(self.card().error(doing(), code));
        }
        self.wait_if_blocking(doing)
    }

    /// Waits for the work that `doing` describes, if the environment asks for it and the work is not being recorded.
    pub(crate) fn wait_if_blocking(&self, doing: impl FnOnce() -> String) -> Result<(), CudaError> {
        if !self.0.blocking || graph::recording().is_some() {
            return Ok(());
        }
        // SAFETY: the stream is alive.
        match unsafe { sys::cuStreamSynchronize(self.stream()) } {
            CUresult::CUDA_SUCCESS => Ok(()),
            code => Err(self.card().error(doing(), code)),
        }
    }

    pub(crate) fn card(&self) -> &Card {
        &self.0.card
    }

    pub(crate) fn kernels(&self) -> &Kernels {
        &self.0.kernels
    }

    /// Makes sure that networks can multiply in `precision` here.
    ///
    /// # Errors
    /// [`CudaError::Precision`] if the card has no tensor cores for it.
    pub fn check_precision(&self, precision: Precision) -> Result<(), CudaError> {
        if precision == Precision::Single || self.tensor_kernels().is_some() {
            return Ok(());
        }
        Err(CudaError::Precision { precision, card: self.card().to_string() })
    }

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
        self.bind()?;
        Ok(self.0.vendor.get_or_init(Vendor::open))
    }

    /// What trials of their products came to.
    pub(crate) fn trials(&self) -> &Trials {
        &self.0.trials
    }

    /// Those for tensor cores, where there are such.
    pub(crate) fn tensor_kernels(&self) -> Option<&TensorKernels> {
        self.0.tensor.as_ref()
    }

    /// Where this thread's work goes.
    pub(crate) fn stream(&self) -> sys::CUstream {
        graph::recording().unwrap_or_else(|| self.0.stream.as_raw())
    }

    /// Makes the device's context this thread's.
    pub(crate) fn bind(&self) -> Result<(), CudaError> {
        CurrentContext::set_current(&self.0.context).map_err(|error| CudaError::Driver {
            doing: "making the context current".to_owned(),
            code: format!("{error:?}"),
            card: self.card().to_string(),
        })
    }

    pub(crate) fn check(&self, doing: &str, code: CUresult) -> Result<(), CudaError> {
        if code == CUresult::CUDA_SUCCESS { Ok(()) } else { Err(self.card().error(doing, code)) }
    }

    /// Whether both are handles to one opened device.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Holds the primary context of a device once more, for the life of the process: NVIDIA's libraries keep what they have loaded by
/// context, and a context takes a third of a second to make.
fn keep_context(ordinal: u32, device: cust::device::Device) -> Result<(), cust::error::CudaError> {
    static KEPT: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if !kept.contains(&ordinal) {
        core::mem::forget(Context::new(device)?);
        kept.insert(ordinal);
    }
    Ok(())
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Kernels and stream go with their own context current, after the work is done.
        if CurrentContext::set_current(&self.context).is_ok() {
            // SAFETY: the stream is alive. A failure has nobody to go to.
            let _ = unsafe { sys::cuStreamSynchronize(self.stream.as_raw()) };
        }
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({})", self.card())
    }
}
