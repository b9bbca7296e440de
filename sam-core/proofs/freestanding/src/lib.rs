//! Every public function of `sam-core`, in a library without std, without an allocator and without a way to panic.
//!
//! The panic handler calls a function that exists nowhere. As long as any panicking path is left, whatever links this library
//! misses that symbol; `proofs/run` links it, and shows that with a planted panic it cannot. An allocation misses the global
//! allocator in the same way.
#![no_std]

#[cfg(feature = "planted-alloc")]
extern crate alloc;

mod core_types;
mod methods;
mod optimizers;

use core::hint::black_box;

unsafe extern "C" {
    fn sam_core_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: never reached: no program with this call links.
    unsafe { sam_core_can_panic() }
}

/// Called by the linked program.
#[unsafe(no_mangle)]
pub extern "C" fn every_function() {
    core_types::exercise::<f32>();
    core_types::exercise::<f64>();
    optimizers::exercise::<f32>();
    optimizers::exercise::<f64>();
    methods::exercise::<f32>();
    methods::exercise::<f64>();
    #[cfg(feature = "planted-panic")]
    black_box([1.0, 2.0][black_box(3usize)]);
    #[cfg(feature = "planted-alloc")]
    black_box(alloc::vec![1.0f32; black_box(4)]);
    black_box(());
}
