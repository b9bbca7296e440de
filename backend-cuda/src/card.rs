//! What is known about a card, and what the driver's codes mean: the beginning of error messages and their end.

#![allow(unsafe_code, reason = "calls of the driver")]

use core::fmt;
use std::ffi::CStr;

use cust::{
    device::{Device, DeviceAttribute},
    sys::{self, CUresult},
};

use crate::{CudaError, driver};

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
    /// What the driver says about a device.
    pub fn of(device: Device) -> Result<Self, cust::error::CudaError> {
        let mut driver = 0;
        // SAFETY: the pointer is to a local variable.
        let _ = unsafe { sys::cuDriverGetVersion(&mut driver) };
        Ok(Self {
            name: device.name()?,
            driver,
            capability: (
                device.get_attribute(DeviceAttribute::ComputeCapabilityMajor)?,
                device.get_attribute(DeviceAttribute::ComputeCapabilityMinor)?,
            ),
        })
    }

    /// Whether it can multiply TF32 and bfloat16.
    pub fn has_tensor_cores(&self) -> bool {
        self.capability >= (8, 0)
    }

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
