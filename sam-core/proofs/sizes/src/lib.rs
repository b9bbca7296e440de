//! What the programs have in common: no operating system, and a gradient that they do not know.
#![no_std]

use core::hint::black_box;
use core::panic::PanicInfo;

use sam_core::{FnOracle, GradientOracle, Loss, Pass, Real};

/// Weights of the models: any number would do, since lengths are known when the program runs only.
pub const WEIGHTS: usize = 64;

/// A gradient that no optimizer can look into.
pub fn oracle<T: Real + Loss>() -> impl GradientOracle<[T], Loss = T, Error = core::convert::Infallible> {
    FnOracle(|w: &[T], g: &mut [T], _: Pass| {
        black_box((w, g));
        Ok(black_box(T::ONE))
    })
}

/// Steps for ever on lent memory.
#[macro_export]
macro_rules! program {
    ($type:ty, |$buffers:ident| $method:expr) => {
        #[unsafe(no_mangle)]
        extern "C" fn _start() -> ! {
            use core::hint::black_box;
            let mut memory = black_box([[<$type as sam_core::Real>::ZERO; $crate::WEIGHTS]; 6]);
            let mut parts = memory.iter_mut();
            let mut $buffers = || black_box(parts.next().map_or(&mut [][..], |part| &mut part[..]));
            let (w, g) = ($buffers(), $buffers());
            let mut method = $method;
            let mut oracle = $crate::oracle::<$type>();
            loop {
                let _ = black_box(method.step(w, g, &mut oracle).is_ok());
            }
        }
    };
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
