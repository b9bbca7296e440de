//! CUDA graphs: work that is recorded once and then launched as a whole, at the cost of one launch.

#![allow(unsafe_code, reason = "calls of the driver")]

use core::ptr::null_mut;

use cust::sys::{
    self, CUgraph, CUgraphExec, CUresult, CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL,
};

use crate::{
    CudaError, Device,
    recording::{self, Redirected},
    stream::Stream,
};

/// Recorded work.
#[derive(Debug)]
pub(crate) struct Graph {
    graph: CUgraph,
    executable: CUgraphExec,
    device: Device,
}

// SAFETY: handles that the driver takes from any thread, though not from two at a time: launching needs `&mut`.
unsafe impl Send for Graph {}

impl Graph {
    /// Records the work that `work` asks of the device on this thread, none of which is done yet. Other threads' work
    /// goes its usual way. `Ok(None)` if the driver cannot record; nothing was asked for then.
    ///
    /// `work` may not wait or allocate. Buffers that it gives up are an error, for a replay would write to them.
    pub fn record<R, E: From<CudaError>>(
        device: &Device,
        work: impl FnOnce() -> Result<R, E>,
    ) -> Result<Option<(Self, R)>, E> {
        device.bind()?;
        let stream =
            Stream::new().map_err(|code| device.card().error("creating a stream to record", code))?;
        // SAFETY: the stream is alive.
        let code =
            unsafe { sys::cuStreamBeginCapture_v2(stream.as_raw(), CU_STREAM_CAPTURE_MODE_THREAD_LOCAL) };
        if code == CUresult::CUDA_ERROR_NOT_SUPPORTED {
            return Ok(None);
        }
        device.check("beginning to record", code)?;
        let result = {
            let _end = Redirected::to(stream.as_raw());
            work()
        };
        let mut graph = null_mut();
        // SAFETY: the stream is alive and records. The recording ends whether or not the work went well.
        let code = unsafe { sys::cuStreamEndCapture(stream.as_raw(), &mut graph) };
        let mut own = Self { graph, executable: null_mut(), device: device.clone() };
        let given_up = recording::given_up();
        for &(address, _) in &given_up {
            // SAFETY: the buffer's owner is gone, and nothing that was recorded runs. A failure has nobody to go to.
            let _ = unsafe { sys::cuMemFree_v2(address) };
        }
        if let Some((_, bytes)) = given_up.first() {
            return Err(CudaError::Recording { bytes: *bytes }.into());
        }
        let result = result?;
        device.check("ending a recording", code)?;
        // SAFETY: the graph is whole.
        let code = unsafe { sys::cuGraphInstantiateWithFlags(&mut own.executable, own.graph, 0) };
        device.check("making a recording executable", code)?;
        Ok(Some((own, result)))
    }

    /// Launches and copies that were recorded.
    pub fn len(&self) -> Result<usize, CudaError> {
        self.device.bind()?;
        let mut count = 0;
        // SAFETY: the graph is alive; without a list the driver only counts.
        let code = unsafe { sys::cuGraphGetNodes(self.graph, null_mut(), &mut count) };
        self.device.check("counting a recording", code)?;
        Ok(count)
    }

    /// Has the recorded work done after all work before.
    ///
    /// # Safety
    /// Everything that it reads and writes must be alive, and as it was when recorded.
    pub unsafe fn launch(&mut self) -> Result<(), CudaError> {
        self.device.bind()?;
        // SAFETY: the graph is alive; the rest is the caller's.
        let code = unsafe { sys::cuGraphLaunch(self.executable, self.device.stream()) };
        self.device.check("launching a recording", code)
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // A failure has nobody to go to.
        let _ = self.device.synchronize();
        // SAFETY: nobody else has the handles, and the work is done.
        unsafe {
            if !self.executable.is_null() {
                let _ = sys::cuGraphExecDestroy(self.executable);
            }
            if !self.graph.is_null() {
                let _ = sys::cuGraphDestroy(self.graph);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeviceVec, testing::device};

    /// Replayed, what was recorded would write to memory that is somebody else's by then.
    #[test]
    fn a_buffer_given_up_while_recording_is_reported() {
        let Some(device) = device() else { return };
        let (kept, gone) = (DeviceVec::<f32>::zeros(&device, 6), DeviceVec::<f32>::zeros(&device, 6));
        let (mut kept, gone) = (kept.unwrap(), gone.unwrap());
        let recorded = Graph::record(&device, || {
            kept.copy_from(&gone)?;
            drop(gone);
            Ok::<(), CudaError>(())
        });
        let error = recorded.map(|_| ()).unwrap_err();
        assert_eq!(error, CudaError::Recording { bytes: 24 });
        assert!(error.to_string().contains("24 bytes"), "{error}");
        // Nothing is left of it: the next recording and the device are well.
        let from = DeviceVec::from_slice(&device, &[1.0f32; 6]).unwrap();
        let recorded = Graph::record(&device, || kept.copy_from(&from));
        let (mut graph, ()) = recorded.unwrap().unwrap();
        // SAFETY: both buffers are alive.
        unsafe { graph.launch() }.unwrap();
        assert_eq!(kept.read().unwrap(), [1.0; 6]);
    }
}
