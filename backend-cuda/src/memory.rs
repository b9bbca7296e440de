//! Device memory that has one owner and knows its length: `cust`'s own slices can be copied and outlive theirs.

#![allow(unsafe_code, reason = "copies between host and device")]

use core::{fmt, marker::PhantomData, ops::Range};

use bytemuck::{Pod, Zeroable};
use cust::memory::{DeviceBuffer, DeviceCopy};
use cust::sys::{self, CUdeviceptr};

use crate::{CudaError, Device, Grid, Ptr, PtrMut, kernels::StoreArguments, recording::take_over};

/// A fixed number of values on the device.
pub struct DeviceVec<T: DeviceCopy> {
    buffer: DeviceBuffer<T>,
    len: usize,
    device: Device,
}

/// Part of a [`DeviceVec`], to read.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a, T> {
    address: CUdeviceptr,
    len: usize,
    lifetime: PhantomData<&'a [T]>,
}

/// Part of a [`DeviceVec`], to write.
#[derive(Debug)]
pub struct SliceMut<'a, T> {
    address: CUdeviceptr,
    len: usize,
    lifetime: PhantomData<&'a mut [T]>,
}

impl<T: DeviceCopy + Pod> DeviceVec<T> {
    /// `len` zeros.
    ///
    /// # Errors
    /// [`CudaError::Memory`] if there is not enough of it; [`CudaError::TooLarge`] from 2^31 entries on.
    pub fn zeros(device: &Device, len: usize) -> Result<Self, CudaError> {
        let mut own = Self::uninitialized(device, len)?;
        own.clear()?;
        Ok(own)
    }

    /// A copy of `values`.
    ///
    /// # Errors
    /// As [`DeviceVec::zeros`].
    pub fn from_slice(device: &Device, values: &[T]) -> Result<Self, CudaError> {
        let mut own = Self::uninitialized(device, values.len())?;
        own.write(values)?;
        Ok(own)
    }

    /// Contents are undefined until written.
    fn uninitialized(device: &Device, len: usize) -> Result<Self, CudaError> {
        if i32::try_from(len).is_err() {
            return Err(CudaError::TooLarge { what: "buffer", found: len as u128 });
        }
        device.bind()?;
        // SAFETY: both callers fill the buffer before anybody reads it.
        let buffer = unsafe { DeviceBuffer::uninitialized(len) };
        let buffer = buffer.map_err(|error| out_of_memory(device, len * size_of::<T>(), error))?;
        Ok(Self { buffer, len, device: device.clone() })
    }

    /// Overwrites the beginning with `values`, and waits until that is done.
    ///
    /// # Errors
    /// [`CudaError::Length`] if there are more of them than entries.
    pub fn write(&mut self, values: &[T]) -> Result<(), CudaError> {
        // SAFETY: the values are borrowed until it has been waited for.
        unsafe { self.begin_write(values)? };
        if values.is_empty() { Ok(()) } else { self.device.synchronize() }
    }

    /// As [`DeviceVec::write`], without waiting.
    ///
    /// # Safety
    /// The values must stay as they are until the device has been waited for, whatever is returned.
    pub(crate) unsafe fn begin_write(&mut self, values: &[T]) -> Result<(), CudaError> {
        if values.len() > self.len {
            let (expected, found) = (self.len, values.len());
            return Err(CudaError::Length { what: "values to copy to the device", expected, found });
        }
        if values.is_empty() {
            return Ok(());
        }
        self.device.bind()?;
        // SAFETY: both sides have so many bytes; that the host's stay is the caller's promise.
        let code = unsafe {
            sys::cuMemcpyHtoDAsync_v2(
                self.address(),
                values.as_ptr().cast(),
                size_of_val(values),
                self.device.stream(),
            )
        };
        self.device.check("copying to the device", code)
    }

    /// All values, after all work before is done.
    ///
    /// # Errors
    /// [`CudaError::Driver`], also for a failure of earlier work.
    pub fn read(&self) -> Result<Vec<T>, CudaError> {
        let mut values = vec![T::zeroed(); self.len];
        self.read_into(&mut values)?;
        Ok(values)
    }

    /// The first values, after all work before is done.
    ///
    /// # Errors
    /// [`CudaError::Length`] if more are asked for than there are; as [`DeviceVec::read`].
    pub fn read_into(&self, values: &mut [T]) -> Result<(), CudaError> {
        if values.len() > self.len {
            let (expected, found) = (self.len, values.len());
            return Err(CudaError::Length { what: "values to copy from the device", expected, found });
        }
        if values.is_empty() {
            return Ok(());
        }
        self.device.bind()?;
        // SAFETY: as in `write`; whatever the bits are, they are a value of the type.
        let code = unsafe {
            sys::cuMemcpyDtoHAsync_v2(
                values.as_mut_ptr().cast(),
                self.address(),
                size_of_val(values),
                self.device.stream(),
            )
        };
        self.device.check("copying from the device", code)?;
        self.device.synchronize()
    }

    /// Overwrites this with another of the same length. Does not wait.
    ///
    /// # Errors
    /// [`CudaError::Length`] if they differ in it.
    pub fn copy_from(&mut self, from: &Self) -> Result<(), CudaError> {
        CudaError::check_length("source of a copy", self.len, from.len)?;
        self.check_device("source of a copy", &from.device)?;
        self.device.copy(self.len, from.shared_ptr().reading(), self.shared_ptr())
    }

    /// Makes all entries zero. Does not wait.
    pub(crate) fn clear(&mut self) -> Result<(), CudaError> {
        if self.len == 0 {
            return Ok(());
        }
        self.device.bind()?;
        // SAFETY: the buffer has so many bytes, and all bits zero is a value of the type.
        let code = unsafe {
            sys::cuMemsetD8Async(self.address(), 0, self.len * size_of::<T>(), self.device.stream())
        };
        self.device.check("clearing memory", code)
    }

    /// Overwrites the whole buffer, at most 32 bytes, with a value that travels with the launch. Does not wait.
    ///
    /// # Panics
    /// If the value is not as large as the buffer, or larger than 32 bytes or no whole number of words.
    pub(crate) fn store<V: Pod>(&mut self, value: &V) -> Result<(), CudaError> {
        let bytes = bytemuck::bytes_of(value);
        assert_eq!(bytes.len(), self.len * size_of::<T>(), "a value of another size than the buffer");
        let mut words = StoreArguments::zeroed();
        bytemuck::bytes_of_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        let count = (bytes.len() / 4) as u32;
        let to = PtrMut::new(self.address());
        // SAFETY: the kernel writes `count` words, as many as the buffer has.
        unsafe {
            self.device.launch(&self.device.kernels().store, Grid::new([1, 1, 1], 1), (words, count, to))
        }
    }
}

impl Device {
    /// Copies `count` values that both sides must have. Does not wait.
    pub(crate) fn copy<T>(&self, count: usize, from: Ptr<T>, to: PtrMut<T>) -> Result<(), CudaError> {
        if count == 0 {
            return Ok(());
        }
        self.bind()?;
        let bytes = count * size_of::<T>();
        // SAFETY: the callers' buffers are so long; the driver refuses addresses that are nobody's.
        let code = unsafe { sys::cuMemcpyDtoDAsync_v2(to.address(), from.address(), bytes, self.stream()) };
        self.check("copying on the device", code)
    }
}

fn out_of_memory(device: &Device, asked: usize, error: cust::error::CudaError) -> CudaError {
    let card = device.card().to_string();
    if error != cust::error::CudaError::OutOfMemory {
        return CudaError::Driver {
            doing: format!("allocating {asked} bytes"),
            code: format!("{error:?}"),
            card,
        };
    }
    let (mut free, mut total) = (0, 0);
    // SAFETY: the pointers are to local variables; zeros tell if the call fails.
    let _ = unsafe { sys::cuMemGetInfo_v2(&mut free, &mut total) };
    CudaError::Memory { asked, free, total, card }
}

impl<T: DeviceCopy> DeviceVec<T> {
    /// Number of values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no values.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The device that it lives on.
    #[must_use]
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// The whole, to read.
    #[must_use]
    pub fn view(&self) -> Slice<'_, T> {
        Slice { address: self.address(), len: self.len, lifetime: PhantomData }
    }

    /// The whole, to write.
    #[must_use]
    pub fn view_mut(&mut self) -> SliceMut<'_, T> {
        SliceMut { address: self.address(), len: self.len, lifetime: PhantomData }
    }

    /// The address, for a kernel that writes what only kernels look at.
    pub(crate) fn shared_ptr(&self) -> PtrMut<T> {
        PtrMut::new(self.address())
    }

    pub(crate) fn check_device(&self, what: &'static str, device: &Device) -> Result<(), CudaError> {
        if self.device.is(device) { Ok(()) } else { Err(CudaError::OtherDevice { what }) }
    }

    fn address(&self) -> CUdeviceptr {
        self.buffer.as_device_ptr().as_raw()
    }
}

impl<T: DeviceCopy> Drop for DeviceVec<T> {
    fn drop(&mut self) {
        if self.len > 0 && take_over(self.address(), self.len * size_of::<T>()) {
            // SAFETY: nothing is allocated.
            if let Ok(nothing) = unsafe { DeviceBuffer::uninitialized(0) } {
                core::mem::forget(core::mem::replace(&mut self.buffer, nothing));
            }
            return;
        }
        // The stream may still use the memory. A failure has nobody to go to.
        let _ = self.device.synchronize();
    }
}

impl<T: DeviceCopy> fmt::Debug for DeviceVec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceVec({} x {} on {:?})", self.len, core::any::type_name::<T>(), self.device)
    }
}

/// The address of the first of `range`, which must lie within.
fn within<T>(address: CUdeviceptr, len: usize, range: &Range<usize>) -> CUdeviceptr {
    assert!(range.start <= range.end && range.end <= len, "{range:?} of {len} values on the device");
    address + (range.start * size_of::<T>()) as CUdeviceptr
}

impl<'a, T> Slice<'a, T> {
    /// Number of values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no values.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A part.
    ///
    /// # Panics
    /// If the range reaches over the end.
    #[must_use]
    pub fn range(self, range: Range<usize>) -> Slice<'a, T> {
        let address = within::<T>(self.address, self.len, &range);
        Slice { address, len: range.len(), lifetime: PhantomData }
    }

    /// The address, for a kernel.
    #[must_use]
    pub const fn ptr(&self) -> Ptr<T> {
        Ptr::new(self.address)
    }
}

impl<T> SliceMut<'_, T> {
    /// Number of values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no values.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A part.
    ///
    /// # Panics
    /// If the range reaches over the end.
    #[must_use]
    pub fn range(&mut self, range: Range<usize>) -> SliceMut<'_, T> {
        let address = within::<T>(self.address, self.len, &range);
        SliceMut { address, len: range.len(), lifetime: PhantomData }
    }

    /// The address, for a kernel that writes.
    #[must_use]
    pub fn ptr(&mut self) -> PtrMut<T> {
        PtrMut::new(self.address)
    }

    /// The address, for a kernel that reads.
    #[must_use]
    pub const fn as_ptr(&self) -> Ptr<T> {
        Ptr::new(self.address)
    }
}
