/// Runs a sweep compiled for the machine's widest vectors. The same operations in the same order, so the same bits:
/// nothing is contracted to fused multiply-adds.
#[inline(always)]
pub fn wide<R>(sweep: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        /// # Safety
        /// The machine must have AVX2.
        #[target_feature(enable = "avx2")]
        #[expect(unsafe_code, reason = "a function for AVX2 may only run where AVX2 is")]
        unsafe fn avx2<R>(sweep: impl FnOnce() -> R) -> R {
            sweep()
        }
        // SAFETY: the machine has AVX2.
        #[expect(unsafe_code, reason = "detected just before")]
        return unsafe { avx2(sweep) };
    }
    sweep()
}
