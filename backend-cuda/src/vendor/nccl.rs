//! NCCL: messages between GPUs, each of which another thread or process works with. Opened when somebody asks for it.

#![allow(unsafe_code, reason = "calls of the library")]

use core::{
    ffi::{c_char, c_int, c_void},
    mem::{replace, zeroed},
    ptr::null_mut,
};
use std::sync::OnceLock;

use cudarc::nccl::sys::{
    self, cudaStream_t, ncclComm_t, ncclDataType_t as DataType, ncclResult_t, ncclUniqueId,
};

use super::library::{Failure, Wanted, function, functions, text};
use crate::{CudaError, Device, Ptr, PtrMut};

functions! {
    /// What is used of the library.
    Functions -> ncclResult_t:
    fn ncclGetVersion(*mut c_int);
    fn ncclGetUniqueId(*mut ncclUniqueId);
    fn ncclCommInitRank(*mut ncclComm_t, c_int, ncclUniqueId, c_int);
    fn ncclCommDestroy(ncclComm_t);
    fn ncclCommAbort(ncclComm_t);
    fn ncclCommGetAsyncError(ncclComm_t, *mut ncclResult_t);
    fn ncclGroupStart();
    fn ncclGroupEnd();
    fn ncclSend(*const c_void, usize, DataType, c_int, ncclComm_t, cudaStream_t);
    fn ncclRecv(*mut c_void, usize, DataType, c_int, ncclComm_t, cudaStream_t);
    fn ncclAllGather(*const c_void, *mut c_void, usize, DataType, ncclComm_t, cudaStream_t);
    fn ncclBroadcast(*const c_void, *mut c_void, usize, DataType, c_int, ncclComm_t, cudaStream_t);
}

const WANTED: Wanted =
    Wanted { name: "NCCL", files: &["libnccl.so.2"], folders: &["nccl/lib"], package: "nvidia-nccl-cu13" };

/// `ncclInProgress`: no failure.
const IN_PROGRESS: u32 = 7;

/// The library.
pub(crate) struct Nccl {
    functions: Functions,
    /// Statuses in words.
    text: unsafe extern "C" fn(u32) -> *const c_char,
    /// The words of the last failure.
    details: unsafe extern "C" fn(ncclComm_t) -> *const c_char,
    version: c_int,
}

/// One rank's end of a communicator; closed where the others don't answer any more.
pub(crate) struct Connection {
    nccl: &'static Nccl,
    communicator: ncclComm_t,
    device: Device,
}

// SAFETY: the library takes a communicator from any thread, one at a time.
unsafe impl Send for Connection {}

impl Nccl {
    /// The library, opened once in a process.
    ///
    /// # Errors
    /// [`CudaError::NoNccl`] without one.
    pub fn open() -> Result<&'static Self, CudaError> {
        static OPENED: OnceLock<Result<Nccl, String>> = OnceLock::new();
        let opened = OPENED.get_or_init(Self::load).as_ref();
        opened.map_err(|missing| CudaError::NoNccl { missing: missing.clone() })
    }

    fn load() -> Result<Self, String> {
        let library = WANTED.open()?;
        let load = || {
            // SAFETY: the types are those of the library's header, with statuses as numbers.
            let (text, details) = unsafe {
                (function(&library, "ncclGetErrorString")?, function(&library, "ncclGetLastError")?)
            };
            Ok((Functions::load(&library)?, text, details))
        };
        let (functions, text, details) = load().map_err(|reason: String| WANTED.missing(&reason))?;
        // Functions stay valid: NVIDIA's libraries are not made for being unloaded.
        core::mem::forget(library);
        let mut own = Self { functions, text, details, version: 0 };
        // SAFETY: the pointer is to a field.
        let status = unsafe { (own.functions.ncclGetVersion)(&mut own.version) };
        own.check("ncclGetVersion", status, null_mut()).map_err(|failure| WANTED.unusable(&failure))?;
        Ok(own)
    }

    /// The library with its version.
    pub fn name(&self) -> String {
        // 22703 is 2.27.3.
        format!("NCCL {}.{}.{}", self.version / 10_000, self.version / 100 % 100, self.version % 100)
    }

    /// Bytes that ranks find each other by. Another process may have them.
    pub fn unique_id(&self) -> Result<[u8; 128], String> {
        let mut id = ncclUniqueId { internal: [0; 128] };
        // SAFETY: the pointer is to a local variable.
        let status = unsafe { (self.functions.ncclGetUniqueId)(&mut id) };
        self.check("ncclGetUniqueId", status, null_mut()).map_err(|failure| failure.to_string())?;
        Ok(id.internal.map(|byte| byte as u8))
    }

    /// Waits until all `ranks` ranks have come with this id; each has a device for itself.
    pub fn connect(
        &'static self,
        device: &Device,
        id: &[u8; 128],
        rank: usize,
        ranks: usize,
    ) -> Result<Connection, CudaError> {
        device.bind()?;
        let id = ncclUniqueId { internal: id.map(|byte| byte as c_char) };
        let mut communicator = null_mut();
        // SAFETY: the pointer is to a local variable, and the device's context is this thread's.
        let status = unsafe {
            (self.functions.ncclCommInitRank)(&mut communicator, ranks as c_int, id, rank as c_int)
        };
        self.check("ncclCommInitRank", status, null_mut()).map_err(|failure| failure.on(device))?;
        Ok(Connection { nccl: self, communicator, device: device.clone() })
    }

    fn check(&self, function: &'static str, status: u32, communicator: ncclComm_t) -> Result<(), Failure> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: the first takes any number and the second a communicator or null; both return strings of the library's.
        let (words, details) = unsafe { (text((self.text)(status)), text((self.details)(communicator))) };
        let details = if details.is_empty() { details } else { format!(": {}", details.trim()) };
        let status = format!("status {status}, {words}{details}");
        Err(Failure { library: self.name(), function, status, unsupported: false })
    }
}

/// What is asked for within a group.
pub(crate) struct Calls<'a> {
    connection: &'a Connection,
    stream: cudaStream_t,
}

impl Connection {
    /// Has all that `calls` asks for done as one, after all work asked for before; waits for nothing.
    ///
    /// # Errors
    /// A call that is refused; [`CudaError::Peers`] once the connection is closed.
    pub fn group(
        &mut self,
        calls: impl FnOnce(&Calls<'_>) -> Result<(), CudaError>,
    ) -> Result<(), CudaError> {
        self.device.bind()?;
        if self.communicator.is_null() {
            return Err(CudaError::Peers { reason: "the connection to them was closed".to_owned() });
        }
        // SAFETY: a group that begins here ends here, whatever is asked for within.
        self.check("ncclGroupStart", unsafe { (self.nccl.functions.ncclGroupStart)() })?;
        let asked = calls(&Calls { connection: self, stream: self.device.stream().cast() });
        // SAFETY: as above.
        let ended = self.check("ncclGroupEnd", unsafe { (self.nccl.functions.ncclGroupEnd)() });
        asked.and(ended)
    }

    /// What has gone wrong in work that was asked for, if anything has.
    pub fn failure(&self) -> Option<String> {
        if self.communicator.is_null() {
            return Some("the connection to them was closed".to_owned());
        }
        // SAFETY: zero is a value of the enumeration; the library writes over it.
        let mut state: ncclResult_t = unsafe { zeroed() };
        let place = (&raw mut state).cast::<u32>();
        // SAFETY: the pointer is to a local variable, which is read as the number that it is.
        let (asked, state) = unsafe {
            let asked = (self.nccl.functions.ncclCommGetAsyncError)(self.communicator, place.cast());
            (asked, place.read())
        };
        let failed = [asked, state].into_iter().find(|&status| status != 0 && status != IN_PROGRESS)?;
        let failure = self.nccl.check("ncclCommGetAsyncError", failed, self.communicator);
        failure.err().map(|failure| failure.to_string())
    }

    /// Gives up what is under way and closes the connection: work on the device that waits for others ends.
    pub fn abort(&mut self) {
        let communicator = replace(&mut self.communicator, null_mut());
        if !communicator.is_null() && self.device.bind().is_ok() {
            // SAFETY: nobody uses it any more. A failure has nobody to go to.
            let _ = unsafe { (self.nccl.functions.ncclCommAbort)(communicator) };
        }
    }

    fn check(&self, function: &'static str, status: u32) -> Result<(), CudaError> {
        let checked = self.nccl.check(function, status, self.communicator);
        checked.map_err(|failure| failure.on(&self.device))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.failure().is_some() {
            return self.abort();
        }
        if self.device.bind().is_ok() {
            // SAFETY: as in `abort`; the library waits for what was asked for.
            let _ = unsafe { (self.nccl.functions.ncclCommDestroy)(self.communicator) };
        }
    }
}

impl Calls<'_> {
    /// Sends so many values to a rank.
    ///
    /// # Safety
    /// They must be there until the work is done.
    pub unsafe fn send(&self, from: Ptr<f32>, count: usize, to: usize) -> Result<(), CudaError> {
        let (Connection { nccl, communicator, .. }, from) = (self.connection, address(from.address()));
        // SAFETY: the communicator is alive; the rest is the caller's.
        let status = unsafe {
            (nccl.functions.ncclSend)(
                from,
                count,
                DataType::ncclFloat32,
                to as c_int,
                *communicator,
                self.stream,
            )
        };
        self.connection.check("ncclSend", status)
    }

    /// Receives so many values of a rank.
    ///
    /// # Safety
    /// There must be room for them until the work is done.
    pub unsafe fn receive(&self, to: PtrMut<f32>, count: usize, from: usize) -> Result<(), CudaError> {
        let (Connection { nccl, communicator, .. }, to) = (self.connection, address(to.address()));
        // SAFETY: as in `send`.
        let status = unsafe {
            (nccl.functions.ncclRecv)(
                to,
                count,
                DataType::ncclFloat32,
                from as c_int,
                *communicator,
                self.stream,
            )
        };
        self.connection.check("ncclRecv", status)
    }

    /// Leaves the values of all ranks, so many of each, at `to`.
    ///
    /// # Safety
    /// As of [`Calls::send`] and [`Calls::receive`].
    pub unsafe fn all_gather(&self, from: Ptr<f32>, count: usize, to: PtrMut<f32>) -> Result<(), CudaError> {
        let Connection { nccl, communicator, .. } = self.connection;
        let (from, to) = (address(from.address()), address(to.address()));
        // SAFETY: as in `send`.
        let status = unsafe {
            (nccl.functions.ncclAllGather)(from, to, count, DataType::ncclFloat32, *communicator, self.stream)
        };
        self.connection.check("ncclAllGather", status)
    }

    /// Makes bytes what they are on the rank `root`.
    ///
    /// # Safety
    /// As of [`Calls::receive`].
    pub unsafe fn broadcast(&self, bytes: PtrMut<u8>, count: usize, root: usize) -> Result<(), CudaError> {
        let (Connection { nccl, communicator, .. }, place) = (self.connection, address(bytes.address()));
        // SAFETY: as in `send`; a broadcast in place.
        let status = unsafe {
            (nccl.functions.ncclBroadcast)(
                place,
                place,
                count,
                DataType::ncclUint8,
                root as c_int,
                *communicator,
                self.stream,
            )
        };
        self.connection.check("ncclBroadcast", status)
    }
}

/// An address of the device's as the library takes it.
fn address(address: u64) -> *mut c_void {
    core::ptr::with_exposed_provenance_mut(address as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendor::tests::found;

    /// The real library, where it is there, has all functions and makes ids without a device.
    #[test]
    fn the_library_has_what_is_called() {
        let Some(nccl) = found(Nccl::load()) else { return };
        println!("{}", nccl.name());
        assert!(nccl.version >= 21_800, "{}", nccl.name());
        let id = nccl.unique_id().unwrap();
        assert!(id.iter().any(|&byte| byte != 0));
    }
}
