//! The interpreter's device, through its driver.

use std::ffi::{OsString, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use libloading::Library;

use crate::fault;

/// Products computed.
pub static PRODUCTS: AtomicU64 = AtomicU64::new(0);

/// As the driver has it.
#[repr(C)]
pub struct Memory {
    state: *mut c_void,
    read: extern "C" fn(*mut c_void, u64, *mut u8, usize) -> u32,
    write: extern "C" fn(*mut c_void, u64, *const u8, usize) -> u32,
}

impl Memory {
    /// Floats of device memory.
    pub fn read(&self, from: u64, count: usize) -> Result<Vec<f32>, u32> {
        let mut values = vec![0.0f32; count];
        match (self.read)(self.state, from, values.as_mut_ptr().cast(), 4 * count) {
            0 => Ok(values),
            code => Err(code),
        }
    }

    /// Writes floats to device memory.
    pub fn write(&self, to: u64, values: &[f32]) -> Result<(), u32> {
        match (self.write)(self.state, to, values.as_ptr().cast(), 4 * values.len()) {
            0 => Ok(()),
            code => Err(code),
        }
    }

    /// Writes all over a workspace, which is the library's.
    pub fn scribble(&self, workspace: u64, bytes: usize) -> Result<(), u32> {
        let garbage = vec![0xa5u8; bytes];
        match (self.write)(self.state, workspace, garbage.as_ptr(), bytes) {
            0 => Ok(()),
            code => Err(code),
        }
    }
}

type Work = Box<dyn Fn(&Memory) -> Result<(), u32>>;
type Run = unsafe extern "C" fn(*const c_void, *const Memory) -> u32;
type Release = unsafe extern "C" fn(*mut c_void);

struct Driver {
    submit: unsafe extern "C" fn(usize, Run, Release, *mut c_void) -> u32,
    current: unsafe extern "C" fn(*mut usize) -> u32,
    captures: unsafe extern "C" fn(usize, *mut i32) -> u32,
}

/// `CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED`.
const CAPTURE_UNSUPPORTED: u32 = 900;

fn driver() -> Option<&'static Driver> {
    static DRIVER: OnceLock<Option<Driver>> = OnceLock::new();
    let open = || {
        let name = std::env::var_os("SAM_CUDA_DRIVER").unwrap_or_else(|| OsString::from("libcuda.so.1"));
        // SAFETY: the program has opened the same library before.
        let library = unsafe { Library::new(name) }.ok()?;
        // SAFETY: the types are those of the interpreter's driver.
        let driver = unsafe {
            Driver {
                submit: *library.get("ptx_interpreter_submit").ok()?,
                current: *library.get("cuCtxGetCurrent").ok()?,
                captures: *library.get("cuStreamIsCapturing").ok()?,
            }
        };
        std::mem::forget(library);
        Some(driver)
    };
    DRIVER.get_or_init(open).as_ref()
}

/// Whether this thread has a context.
pub fn has_context() -> bool {
    let mut context = 0;
    // SAFETY: the pointer is to a local variable.
    driver().is_some_and(|driver| unsafe { (driver.current)(&mut context) } == 0 && context != 0)
}

unsafe extern "C" fn run(data: *const c_void, memory: *const Memory) -> u32 {
    // SAFETY: the driver hands back what `submit` gave it, and memory that is there while the work runs.
    let (work, memory) = unsafe { (&*data.cast::<Work>(), &*memory) };
    PRODUCTS.fetch_add(1, Ordering::SeqCst);
    work(memory).map_or_else(|code| code, |()| 0)
}

unsafe extern "C" fn release(data: *mut c_void) {
    // SAFETY: it came from a box in `submit`, and the driver calls this once.
    drop(unsafe { Box::from_raw(data.cast::<Work>()) });
}

/// Has work done on a stream.
pub fn submit(stream: usize, work: impl Fn(&Memory) -> Result<(), u32> + 'static) -> Result<(), u32> {
    let driver = driver().ok_or(100u32)?;
    let mut captured = 0;
    // SAFETY: the pointer is to a local variable.
    if unsafe { (driver.captures)(stream, &mut captured) } != 0 || fault::forbids(captured != 0) {
        return Err(CAPTURE_UNSUPPORTED);
    }
    let work: Work = Box::new(work);
    let data = Box::into_raw(Box::new(work));
    // SAFETY: both functions take the data; nothing in it belongs to a thread.
    match unsafe { (driver.submit)(stream, run, release, data.cast()) } {
        0 => Ok(()),
        code => Err(code),
    }
}
