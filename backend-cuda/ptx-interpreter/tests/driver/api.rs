//! The shared library, opened once, with three devices, and one test at a time.

use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use libloading::Library;

static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().unwrap().join("libptx_interpreter_driver.so");
    // SAFETY: once, before the library is there to read it; nothing else in this process reads the environment.
    unsafe { std::env::set_var("PTX_INTERPRETER_DEVICES", DEVICES.to_string()) };
    // SAFETY: the library has no initialisers.
    unsafe { Library::new(&path) }.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
});

/// Devices that there are.
pub const DEVICES: i32 = 3;

static TURN: Mutex<()> = Mutex::new(());

/// Calls a C function that returns a code or a count.
macro_rules! call {
    ($name:ident($($value:expr => $t:ty),* $(,)?)) => { call!($name($($value => $t),*) -> u32) };
    ($name:ident($($value:expr => $t:ty),* $(,)?) -> $out:ty) => {{
        // SAFETY: the types are those of the driver API's manual.
        let function = unsafe { $crate::api::symbol::<unsafe extern "C" fn($($t),*) -> $out>(stringify!($name)) };
        // SAFETY: pointers come from references that outlive the call.
        unsafe { function($($value),*) }
    }};
}
pub(crate) use call;

/// A function of the library.
///
/// # Safety
/// `T` must be its type.
pub unsafe fn symbol<T: Copy>(name: &str) -> T {
    // SAFETY: as the caller promises.
    *unsafe { LIBRARY.get::<T>(name) }.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A healthy device with a current context, for one test.
pub fn device() -> MutexGuard<'static, ()> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    call!(ptx_interpreter_reset() -> ());
    assert_eq!(call!(cuInit(0 => u32)), 0);
    bind(0);
    turn
}

/// Makes the primary context of a device this thread's.
pub fn bind(device: i32) {
    let mut context = 0usize;
    assert_eq!(call!(cuDevicePrimaryCtxRetain(&mut context => *mut usize, device => i32)), 0);
    assert_eq!(call!(cuCtxSetCurrent(context => usize)), 0);
}

pub fn allocate(bytes: usize) -> u64 {
    let mut address = 0;
    assert_eq!(call!(cuMemAlloc_v2(&mut address => *mut u64, bytes => usize)), 0);
    address
}

pub fn upload(values: &[u32]) -> u64 {
    let address = allocate(4 * values.len());
    let code = call!(cuMemcpyHtoD_v2(address => u64, values.as_ptr().cast() => *const c_void, 4 * values.len() => usize));
    assert_eq!(code, 0);
    address
}

pub fn download(address: u64, count: usize) -> Result<Vec<u32>, u32> {
    let mut out = vec![0u32; count];
    match call!(cuMemcpyDtoH_v2(out.as_mut_ptr().cast() => *mut c_void, address => u64, 4 * count => usize)) {
        0 => Ok(out),
        code => Err(code),
    }
}

/// Adds its second parameter to 64 words; faults where `body` does.
pub fn function(body: &str) -> usize {
    let source = format!(
        ".version 8.0\n.target sm_75\n.address_size 64\n.visible .entry add(.param .u64 p, .param .u32 n) .maxntid 128, 1, 1 {{
        .reg .b32 %r<8>; .reg .b64 %d<4>; .reg .pred %p<4>; ld.param.u64 %d1, [p]; ld.param.u32 %r2, [n]; mov.u32 %r1, %tid.x;
        mul.wide.u32 %d2, %r1, 4; add.u64 %d2, %d1, %d2; ld.global.u32 %r3, [%d2]; add.u32 %r3, %r3, %r2; st.global.u32 [%d2], %r3;\n{body} ret; }}"
    );
    let source = CString::new(source).unwrap();
    let (mut module, mut function) = (0usize, 0usize);
    assert_eq!(
        call!(cuModuleLoadData(&mut module => *mut usize, source.as_ptr().cast() => *const c_void)),
        0
    );
    let name = c"add".as_ptr();
    assert_eq!(
        call!(cuModuleGetFunction(&mut function => *mut usize, module => usize, name => *const c_char)),
        0
    );
    function
}

pub fn launch(function: usize, threads: u32, stream: usize, address: u64, n: u32) -> u32 {
    let arguments: [*const c_void; 2] = [(&raw const address).cast(), (&raw const n).cast()];
    launch_raw(function, threads, 0, stream, arguments.as_ptr())
}

pub fn launch_raw(
    function: usize,
    threads: u32,
    shared: u32,
    stream: usize,
    arguments: *const *const c_void,
) -> u32 {
    call!(cuLaunchKernel(
        function => usize, 1 => u32, 1 => u32, 1 => u32, threads => u32, 1 => u32, 1 => u32, shared => u32, stream => usize,
        arguments => *const *const c_void, std::ptr::null() => *const c_void,
    ))
}

pub fn stream() -> usize {
    let mut stream = 0;
    assert_eq!(call!(cuStreamCreateWithPriority(&mut stream => *mut usize, 1 => u32, 0 => i32)), 0);
    stream
}

pub fn report() -> String {
    let text = call!(ptx_interpreter_report() -> *const c_char);
    // SAFETY: null or a string that the library keeps.
    if text.is_null() { String::new() } else { unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned() }
}

pub fn synchronisations() -> u64 {
    call!(ptx_interpreter_synchronisations() -> u64)
}

pub fn launches() -> u64 {
    call!(ptx_interpreter_launches() -> u64)
}
