//! The micro-kernel in 8-wide fused multiply-adds: per product step two loads of B, a broadcast of A per row and
//! two multiply-adds per row, all sums in registers.
#![expect(unsafe_code, reason = "intrinsics and unchecked reads in the innermost loop")]

use super::micro::{Initial, MicroKernels, Operands};
use core::arch::x86_64::{
    __m256, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps,
};

/// Kernels that must run on machines with AVX2 and FMA only.
pub fn kernels() -> MicroKernels<f32> {
    MicroKernels([tile::<1>, tile::<2>, tile::<3>, tile::<4>, tile::<5>, tile::<6>])
}

/// # Safety
/// As for `MicroKernel`; the machine must have AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn tile<const R: usize>(x: Operands<'_, f32>) {
    // SAFETY: `x.rows` and `x.out_rows` have R entries, and the caller vouches for every offset that is formed.
    unsafe {
        let load = |at: *const f32| [_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8))];
        let mut sums: [[__m256; 2]; R] = match x.initial {
            Initial::Zero => [[_mm256_setzero_ps(); 2]; R],
            Initial::Existing => {
                core::array::from_fn(|i| load(x.out.add(*x.out_rows.get_unchecked(i) as usize)))
            }
            Initial::Row(values) => [load(values); R],
        };
        for s in x.runs {
            let a: [*const f32; R] =
                core::array::from_fn(|i| x.a.add(*x.rows.get_unchecked(i) as usize + s.a as usize));
            let b = x.b.add(s.b as usize);
            let (mut at, mut bt) = (0, 0);
            for _ in 0..x.depth {
                let [low, high] = load(b.add(bt));
                for i in 0..R {
                    let value = _mm256_broadcast_ss(&*a[i].add(at));
                    sums[i][0] = _mm256_fmadd_ps(value, low, sums[i][0]);
                    sums[i][1] = _mm256_fmadd_ps(value, high, sums[i][1]);
                }
                at += x.a_step;
                bt += x.b_step;
            }
        }
        for (i, [low, high]) in sums.into_iter().enumerate() {
            let out = x.out.add(*x.out_rows.get_unchecked(i) as usize);
            _mm256_storeu_ps(out, low);
            _mm256_storeu_ps(out.add(8), high);
        }
    }
}
