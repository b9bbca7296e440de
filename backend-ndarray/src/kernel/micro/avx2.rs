//! 6 x 16 tiles, which fill the sixteen 8-wide registers of AVX2: 12 sums, 2 of B, 1 of A.
#![expect(unsafe_code, reason = "intrinsics and unchecked reads in the innermost loop")]

use core::arch::x86_64::{__m256, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_storeu_ps};

use super::{COLUMNS, Initial, MicroKernel, Operands, tiles};

tiles! {
    features: "avx2,fma", vector: __m256, load: _mm256_loadu_ps, store: _mm256_storeu_ps, everywhere: _mm256_set1_ps,
    multiply_add: _mm256_fmadd_ps, rows: 1 2 3 4 5 6
}
