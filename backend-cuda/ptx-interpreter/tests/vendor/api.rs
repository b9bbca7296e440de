//! Driver and stand-in, opened once, and one test at a time.

use std::env;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use libloading::Library;

fn beside(name: &str) -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().join(name)
}

static LIBRARIES: LazyLock<[Library; 2]> = LazyLock::new(|| {
    let driver = beside("libptx_interpreter_driver.so");
    // SAFETY: under the lock of the first test; the stand-in reads it later.
    unsafe { env::set_var("SAM_CUDA_DRIVER", &driver) };
    // SAFETY: as above.
    unsafe { env::set_var("PTX_INTERPRETER_DEVICES", "4") };
    [driver, beside("libvendor_stand_in.so")].map(|path| {
        // SAFETY: the libraries have no initialisers.
        unsafe { Library::new(&path) }.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    })
});

static TURN: Mutex<()> = Mutex::new(());

/// Calls a C function that returns a status.
macro_rules! call {
    ($name:ident($($value:expr => $t:ty),* $(,)?)) => {{
        // SAFETY: the types are those of the libraries' headers, with handles as numbers.
        let function = unsafe { $crate::api::symbol::<unsafe extern "C" fn($($t),*) -> u32>(stringify!($name)) };
        // SAFETY: pointers come from references that outlive the call.
        unsafe { function($($value),*) }
    }};
}
pub(crate) use call;

/// A function of either library.
///
/// # Safety
/// `T` must be its type.
pub unsafe fn symbol<T: Copy>(name: &str) -> T {
    // SAFETY: as the caller promises.
    let found =
        LIBRARIES.iter().find_map(|library| unsafe { library.get::<T>(name) }.ok().map(|symbol| *symbol));
    found.unwrap_or_else(|| panic!("no function {name}"))
}

/// A device with a current context, for one test.
pub fn device() -> MutexGuard<'static, ()> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
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

/// Device memory with these values.
pub fn upload<T>(values: &[T]) -> u64 {
    let address = allocate(size_of_val(values).div_ceil(4));
    let code = call!(
        cuMemcpyHtoD_v2(address => u64, values.as_ptr() => *const T, size_of_val(values) => usize)
    );
    assert_eq!(code, 0);
    address
}

/// Device memory for so many values, which nobody wrote.
pub fn allocate(count: usize) -> u64 {
    let mut address = 0;
    assert_eq!(call!(cuMemAlloc_v2(&mut address => *mut u64, 4 * count => usize)), 0);
    address
}

/// Values of device memory.
pub fn download<T: Clone + Default>(address: u64, count: usize) -> Vec<T> {
    let mut values = vec![T::default(); count];
    let bytes = size_of_val(&*values);
    let code = call!(cuMemcpyDtoH_v2(values.as_mut_ptr() => *mut T, address => u64, bytes => usize));
    assert_eq!(code, 0);
    values
}

/// What a function makes.
macro_rules! created {
    ($name:ident($($value:expr => $t:ty),* $(,)?)) => {{
        let mut number = 0usize;
        assert_eq!($crate::api::call!($name(&mut number => *mut usize, $($value => $t),*)), 0);
        number
    }};
}
pub(crate) use created;
