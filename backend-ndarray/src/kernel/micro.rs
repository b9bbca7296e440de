//! Micro-kernels: one tile of a matrix product in registers.

use super::Run;
use crate::Scalar;

/// Rows of a tile.
pub const ROWS: usize = 6;
/// Columns of a tile. 6 x 16 fills the sixteen 8-wide registers of AVX2: 12 sums, 2 of B, 1 of A.
pub const COLUMNS: usize = 16;

/// What the sums of a tile start from.
#[derive(Clone, Copy)]
pub enum Initial<T> {
    Zero,
    /// What is in the target already.
    Existing,
    /// The same [`COLUMNS`] values in every row.
    Row(*const T),
}

/// The operands of a micro-kernel, as pointers because a bounds check per product would cost more than the
/// product: `product` checks the largest offsets once for all tiles.
#[derive(Clone, Copy)]
pub struct Operands<'a, T> {
    pub a: *const T,
    /// Offset of each row of the tile into A.
    pub rows: &'a [u32],
    pub b: *const T,
    pub runs: &'a [Run],
    pub depth: usize,
    pub a_step: usize,
    pub b_step: usize,
    pub initial: Initial<T>,
    pub out: *mut T,
    /// Offset of each row of the tile into the target.
    pub out_rows: &'a [u32],
}

/// Computes a tile.
///
/// # Safety
/// `rows` and `out_rows` have as many entries as the kernel has rows. Every `rows[i] + s.a + k * a_step` is within
/// A's allocation, every `s.b + k * b_step + j` within B's, every `out_rows[i] + j` within the target's, for all
/// runs `s`, `k < depth` and `j < COLUMNS`; an initial row has `COLUMNS` values. Nobody else uses the target. The
/// machine has the instruction set that the kernel was compiled for.
pub type MicroKernel<T> = unsafe fn(Operands<'_, T>);

/// Micro-kernels for 1 to [`ROWS`] rows.
#[derive(Clone, Copy)]
pub struct MicroKernels<T>(pub [MicroKernel<T>; ROWS]);

impl<T: Scalar> MicroKernels<T> {
    /// For any machine; the reference of the others.
    pub fn portable() -> Self {
        Self([
            portable::<T, 1>,
            portable::<T, 2>,
            portable::<T, 3>,
            portable::<T, 4>,
            portable::<T, 5>,
            portable::<T, 6>,
        ])
    }
}

impl MicroKernels<f32> {
    /// AVX2 and FMA where the machine has both, else portable.
    pub fn detect_f32() -> Self {
        #[cfg(target_arch = "x86_64")]
        if has_avx2_and_fma() {
            return super::micro_avx2::kernels();
        }
        Self::portable()
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2_and_fma() -> bool {
    std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma")
}

/// How this machine computes products of matrices in `f32`, as a noun: a network's bits depend on nothing else of a machine.
pub fn arithmetic() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if has_avx2_and_fma() {
        return "fused multiply-add";
    }
    "products that are rounded before they are added"
}

#[expect(unsafe_code, reason = "unchecked reads in the innermost loop")]
unsafe fn portable<T: Scalar, const R: usize>(x: Operands<'_, T>) {
    // SAFETY: the caller vouches for COLUMNS values at every offset of B, the target and the initial row, and for
    // every offset of A.
    unsafe {
        let mut sums = [[T::zero(); COLUMNS]; R];
        for (sums, &row) in sums.iter_mut().zip(x.out_rows) {
            match x.initial {
                Initial::Zero => {}
                Initial::Existing => *sums = *x.out.add(row as usize).cast(),
                Initial::Row(values) => *sums = *values.cast(),
            }
        }
        for s in x.runs {
            for k in 0..x.depth {
                let b = &*x.b.add(s.b as usize + k * x.b_step).cast::<[T; COLUMNS]>();
                for (sums, &row) in sums.iter_mut().zip(x.rows) {
                    let a = *x.a.add(row as usize + s.a as usize + k * x.a_step);
                    for (sum, &b) in sums.iter_mut().zip(b) {
                        *sum += a * b;
                    }
                }
            }
        }
        for (sums, &row) in sums.iter().zip(x.out_rows) {
            *x.out.add(row as usize).cast() = *sums;
        }
    }
}
