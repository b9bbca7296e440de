//! Time as the device sees it.

#![allow(unsafe_code, reason = "calls of the driver")]

use core::{ptr::null_mut, time::Duration};

use cust::sys::{self, CUevent, CUevent_record_flags_enum::CU_EVENT_RECORD_EXTERNAL};

use crate::{CudaError, Device, recording::recording};

/// A mark in the device's work, which gets the time when the device comes to it.
#[derive(Debug)]
pub struct Event {
    event: CUevent,
    device: Device,
}

// SAFETY: a handle that the driver takes from any thread.
unsafe impl Send for Event {}

impl Event {
    /// A mark that is nowhere yet.
    ///
    /// # Errors
    /// A device that fails.
    pub fn new(device: &Device) -> Result<Self, CudaError> {
        device.bind()?;
        let mut event = null_mut();
        // SAFETY: the pointer is to a local variable.
        device.check("creating an event", unsafe { sys::cuEventCreate(&mut event, 0) })?;
        Ok(Self { event, device: device.clone() })
    }

    /// Puts the mark behind all work asked for so far. Does not wait. In a recording the mark becomes part of it and gets
    /// the time anew at every launch.
    ///
    /// # Errors
    /// A device that fails.
    pub fn record(&mut self) -> Result<(), CudaError> {
        self.device.bind()?;
        let (event, stream) = (self.event, self.device.stream());
        // SAFETY: event and stream are alive.
        let code = unsafe {
            match recording() {
                None => sys::cuEventRecord(event, stream),
                // Without the flag it would only order streams within the recording.
                Some(_) => sys::cuEventRecordWithFlags(event, stream, CU_EVENT_RECORD_EXTERNAL as u32),
            }
        };
        self.device.check("recording an event", code)
    }

    /// The time between two marks that the device has passed.
    ///
    /// # Errors
    /// A device that fails; also if it has not come to them yet: wait first.
    pub fn since(&self, earlier: &Self) -> Result<Duration, CudaError> {
        self.device.bind()?;
        let mut milliseconds = 0.0;
        // SAFETY: both events are alive, the pointer is to a local variable.
        let code = unsafe { sys::cuEventElapsedTime(&mut milliseconds, earlier.event, self.event) };
        self.device.check("reading the time between events", code)?;
        Ok(Duration::from_secs_f32(milliseconds.max(0.0) / 1e3))
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if self.device.bind().is_ok() {
            // SAFETY: nobody else has the handle. A failure has nobody to go to.
            let _ = unsafe { sys::cuEventDestroy_v2(self.event) };
        }
    }
}
