//! 12 x 16 and 12 x 32 tiles in the 16-wide registers of AVX-512, of which there are 32. There is no general register for one more row's
//! address: 16 rows take 1.3 times as long a product. Processors with two 16-wide multipliers can load two values a cycle, so that a
//! tile of one panel, which loads a value of A for each of its multiply-adds, keeps them four fifths busy; one of two all but fully.
#![expect(unsafe_code, reason = "intrinsics and unchecked reads in the innermost loop")]

use core::arch::x86_64::{__m512, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_storeu_ps};

use super::{COLUMNS, Initial, MicroKernel, Operands, tiles};

tiles! {
    features: "avx512f", vector: __m512, load: _mm512_loadu_ps, store: _mm512_storeu_ps, everywhere: _mm512_set1_ps,
    multiply_add: _mm512_fmadd_ps, rows: 1 2 3 4 5 6 7 8 9 10 11 12
}
