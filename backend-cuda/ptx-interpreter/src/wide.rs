//! Loops over the lanes of a warp with the host's wider instructions, where it has them.

/// What `f` returns, compiled for AVX2 and fused multiply-add too. Its loops are not called: they are part of it, which is why `f` must
/// be a closure that the compiler can put in this place. No bit depends on it: a fused multiply-add without the instruction is a
/// function of the C library, one call for each lane.
#[inline(always)]
pub fn wide<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn on_wide<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        if has_wide() {
            // SAFETY: the processor has what the function is compiled for.
            #[allow(unsafe_code)]
            return unsafe { on_wide(f) };
        }
    }
    f()
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn has_wide() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}
