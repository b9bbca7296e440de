//! Sweeps for the machine's widest vectors.

/// Defines a function that is compiled twice, for any machine and for AVX2, and runs as the machine can. The same
/// operations in the same order, so the same bits: nothing is contracted to fused multiply-adds.
///
/// What the body calls must be inlined to be part of it: `#[inline(always)]` functions and small iterators.
macro_rules! wide {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        $vis fn $name<T: $crate::Scalar>($($arg: $type),*) {
            #[inline(always)]
            fn body<T: $crate::Scalar>($($arg: $type),*) $body

            /// # Safety
            /// The machine must have AVX2.
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            #[expect(unsafe_code, reason = "a function for AVX2 may only run where AVX2 is")]
            unsafe fn avx2<T: $crate::Scalar>($($arg: $type),*) {
                body($($arg),*);
            }

            #[cfg(target_arch = "x86_64")]
            if std::is_x86_feature_detected!("avx2") {
                // SAFETY: the machine has AVX2.
                #[expect(unsafe_code, reason = "detected just before")]
                return unsafe { avx2($($arg),*) };
            }
            body($($arg),*);
        }
    };
}

pub(crate) use wide;
