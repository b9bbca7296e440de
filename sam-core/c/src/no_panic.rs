//! The proof that no panic crosses the border: a program links only if none can begin.
#![allow(unsafe_code, reason = "the declaration of a function that exists nowhere")]

unsafe extern "C" {
    fn sam_core_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: it is never reached, since no program with this call links.
    unsafe { sam_core_can_panic() }
}
