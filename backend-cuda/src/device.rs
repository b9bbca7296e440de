//! A device: its context, the stream that all work goes to, and the kernels.

#![allow(unsafe_code, reason = "calls of the driver")]

use core::{any::Any, fmt};
use std::{
    collections::BTreeSet,
    env,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use cust::{
    context::{Context, CurrentContext},
    sys::{self, CUresult},
};

use crate::{
    Arguments, CudaError, Grid, Kernel, Precision,
    card::Card,
    driver,
    element::Element,
    kernels::{ActivationKernels, Kernels, TensorKernels},
    recording::recording,
    stream::Stream,
};

/// A GPU, opened. Clones are handles to the same.
///
/// Everything runs on one stream: work is done in the order in which it was asked for, and calls return before it is.
/// A `Device` may be used from several threads.
#[derive(Clone)]
pub struct Device(Arc<Inner>);

/// Fields are dropped in this order: what needs the context goes before it.
struct Inner {
    /// What others keep here, opened when first asked for.
    kept: OnceLock<Box<dyn Any + Send + Sync>>,
    kernels: Kernels,
    /// For activations in f32.
    single: ActivationKernels,
    /// Of compute capability 8.0 and up.
    tensor: Option<TensorKernels>,
    /// For activations in bf16, loaded when somebody asks for that precision.
    short: OnceLock<ActivationKernels>,
    stream: Stream,
    context: Context,
    card: Card,
    blocking: bool,
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
        let card = Card::of(device).map_err(none)?;
        let stream = Stream::new().map_err(|code| card.error("creating a stream", code))?;
        let kernels = Kernels::load(&card)?;
        let single = ActivationKernels::load(&card, Element::F32)?;
        let tensor = card.has_tensor_cores().then(|| TensorKernels::load(&card)).transpose()?;
        let blocking = env::var_os("SAM_CUDA_BLOCKING").is_some_and(|value| value == "1");
        let (kept, short) = (OnceLock::new(), OnceLock::new());
        let inner = Inner { kept, kernels, single, tensor, short, stream, context, card, blocking };
        Ok(Self(Arc::new(inner)))
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
        if !self.0.blocking || recording().is_some() {
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

    /// Makes sure that networks can be of `precision` here, and has the kernels loaded that only bf16 takes.
    ///
    /// # Errors
    /// [`CudaError::Precision`] if the card has no tensor cores for it; [`CudaError::Module`] if the driver refuses those kernels.
    pub fn check_precision(&self, precision: Precision) -> Result<(), CudaError> {
        if precision != Precision::Single && self.tensor_kernels().is_none() {
            return Err(CudaError::Precision { precision, card: self.card().to_string() });
        }
        if Element::of(precision) == Element::Bf16 && self.0.short.get().is_none() {
            self.bind()?;
            // Where another thread was faster its kernels stay.
            let _ = self.0.short.set(ActivationKernels::load(self.card(), Element::Bf16)?);
        }
        Ok(())
    }

    /// Those for activations of that element.
    ///
    /// # Panics
    /// If they are bf16 and nobody has [made sure](Device::check_precision) that they can be.
    pub(crate) fn activations(&self, element: Element) -> &ActivationKernels {
        match element {
            Element::F32 => &self.0.single,
            Element::Bf16 => self.0.short.get().expect("the precision was checked before it was set"),
        }
    }

    /// What those who use the device keep with it, opened when first asked for, with the context as this thread's. There is one such
    /// thing; it goes before the kernels and the stream, with the context current. The device doesn't know what it is.
    ///
    /// # Panics
    /// If another type was kept before.
    pub(crate) fn kept<T: Send + Sync + 'static>(&self, open: impl FnOnce() -> T) -> Result<&T, CudaError> {
        self.bind()?;
        let kept = self.0.kept.get_or_init(|| Box::new(open()));
        Ok(kept.downcast_ref().expect("one type is kept with a device, as its only user says"))
    }

    /// Those for tensor cores, where there are such.
    pub(crate) fn tensor_kernels(&self) -> Option<&TensorKernels> {
        self.0.tensor.as_ref()
    }

    /// Where this thread's work goes.
    pub(crate) fn stream(&self) -> sys::CUstream {
        recording().unwrap_or_else(|| self.0.stream.as_raw())
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

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
    use std::thread;

    use super::*;
    use crate::testing;

    /// Says when it goes whether the context is this thread's: a stream can be made then.
    struct Kept(Arc<AtomicU32>);

    impl Drop for Kept {
        fn drop(&mut self) {
            self.0.store(if Stream::new().is_ok() { 1 } else { 2 }, SeqCst);
        }
    }

    /// Libraries give back what they hold of a context, wherever the last handle to the device goes.
    #[test]
    fn what_is_kept_is_opened_once_and_goes_with_the_context_current() {
        let Some(device) = testing::device() else { return };
        let gone = Arc::new(AtomicU32::new(0));
        let opened = AtomicU32::new(0);
        for _ in 0..2 {
            let open = || {
                opened.fetch_add(1, SeqCst);
                Kept(Arc::clone(&gone))
            };
            device.kept(open).unwrap();
        }
        assert_eq!(opened.into_inner(), 1);
        let handle = device.clone();
        drop(device);
        assert_eq!(gone.load(SeqCst), 0, "it went before the last handle");
        thread::spawn(move || drop(handle)).join().unwrap();
        assert_eq!(gone.load(SeqCst), 1, "0: it stays; 2: the context was not current");
    }
}
