//! Sweeps for the machine's widest vectors.

/// Defines a function that is compiled for any machine, for AVX2 and for AVX-512, and runs as
/// [`Vectors::chosen`](crate::kernel::Vectors::chosen) says; NEON is part of any 64-bit Arm. The same operations in the same
/// order, so the same bits: nothing is contracted to fused multiply-adds.
///
/// What the body calls must be inlined to be part of it: `#[inline(always)]` functions and small iterators.
macro_rules! wide {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        $vis fn $name<T: $crate::Number>($($arg: $type),*) {
            #[inline(always)]
            fn body<T: $crate::Number>($($arg: $type),*) $body

            /// # Safety
            /// The machine must have AVX2.
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            #[expect(unsafe_code, reason = "a function for AVX2 may only run where AVX2 is")]
            unsafe fn avx2<T: $crate::Number>($($arg: $type),*) {
                body($($arg),*);
            }

            /// # Safety
            /// The machine must have these parts of AVX-512.
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
            #[expect(unsafe_code, reason = "a function for AVX-512 may only run where AVX-512 is")]
            unsafe fn avx512<T: $crate::Number>($($arg: $type),*) {
                body($($arg),*);
            }

            match $crate::kernel::Vectors::chosen().set() {
                // SAFETY: `Vectors` are of this machine.
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "the machine has these instructions")]
                $crate::kernel::Set::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "the machine has these instructions")]
                $crate::kernel::Set::Avx512 => unsafe { avx512($($arg),*) },
                _ => body($($arg),*),
            }
        }
    };
}

pub(crate) use wide;
