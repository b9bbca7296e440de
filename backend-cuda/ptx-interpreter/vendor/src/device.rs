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

/// What numbers are kept as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    F32,
    Bf16,
}

impl Memory {
    /// Numbers of device memory.
    pub fn read(&self, element: Element, from: u64, count: usize) -> Result<Vec<f32>, u32> {
        let mut values = vec![0.0f32; count];
        let mut halves = vec![0u16; if element == Element::Bf16 { count } else { 0 }];
        let (place, bytes) = match element {
            Element::F32 => (values.as_mut_ptr().cast(), 4 * count),
            Element::Bf16 => (halves.as_mut_ptr().cast(), 2 * count),
        };
        match (self.read)(self.state, from, place, bytes) {
            0 => {}
            code => return Err(code),
        }
        for (value, half) in values.iter_mut().zip(halves) {
            *value = f32::from_bits(u32::from(half) << 16);
        }
        Ok(values)
    }

    /// Writes numbers to device memory, rounded to nearest even.
    pub fn write(&self, element: Element, to: u64, values: &[f32]) -> Result<(), u32> {
        let halves: Vec<u16>;
        let (place, bytes) = match element {
            Element::F32 => (values.as_ptr().cast(), size_of_val(values)),
            Element::Bf16 => {
                halves = values.iter().copied().map(half).collect();
                (halves.as_ptr().cast(), 2 * halves.len())
            }
        };
        match (self.write)(self.state, to, place, bytes) {
            0 => Ok(()),
            code => Err(code),
        }
    }

    /// Bytes of device memory.
    pub fn read_bytes(&self, from: u64, count: usize) -> Result<Vec<u8>, u32> {
        let mut bytes = vec![0; count];
        match (self.read)(self.state, from, bytes.as_mut_ptr(), count) {
            0 => Ok(bytes),
            code => Err(code),
        }
    }

    /// Writes bytes to device memory.
    pub fn write_bytes(&self, to: u64, bytes: &[u8]) -> Result<(), u32> {
        match (self.write)(self.state, to, bytes.as_ptr(), bytes.len()) {
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

/// The upper half of a number, to which it is rounded.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() { 0x7fff } else { ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16 }
}

/// A number as it is kept.
pub fn rounded(element: Element, value: f32) -> f32 {
    match element {
        Element::F32 => value,
        Element::Bf16 => f32::from_bits(u32::from(half(value)) << 16),
    }
}

type Work = Box<dyn Fn(&Memory) -> Result<(), u32>>;
type Run = unsafe extern "C" fn(*const c_void, *const Memory) -> u32;
type Release = unsafe extern "C" fn(*mut c_void);

struct Driver {
    submit: unsafe extern "C" fn(usize, Run, Release, *mut c_void) -> u32,
    current: unsafe extern "C" fn(*mut usize) -> u32,
    captures: unsafe extern "C" fn(usize, *mut i32) -> u32,
    device: unsafe extern "C" fn(*mut i32) -> u32,
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
                device: *library.get("cuCtxGetDevice").ok()?,
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

/// The device of this thread's context, if it has one.
pub fn current_device() -> Option<i32> {
    let mut device = 0;
    // SAFETY: the pointer is to a local variable.
    (unsafe { (driver()?.device)(&mut device) } == 0).then_some(device)
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
