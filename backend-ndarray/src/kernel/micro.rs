use super::Run;
use crate::Scalar;

/// Rows of a tile.
pub const ROWS: usize = 6;
/// Columns of a tile. 6 x 16 fills the sixteen 8-wide registers of AVX2: 12 sums, 2 of B, 1 of A.
pub const COLUMNS: usize = 16;

/// Values of a tile; rows past the kernel's own count are left alone.
pub type Tile<T> = [[T; COLUMNS]; ROWS];

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
}

/// Adds a product to a tile.
///
/// # Safety
/// `rows` has as many entries as the kernel has rows. Every `rows[i] + s.a + k * a_step` is within A's
/// allocation, every `s.b + k * b_step + j` for `j < COLUMNS` within B's, for all runs and `k < depth`. The
/// machine has the instruction set that the kernel was compiled for.
pub type MicroKernel<T> = unsafe fn(Operands<'_, T>, &mut Tile<T>);

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
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            return super::micro_avx2::kernels();
        }
        Self::portable()
    }
}

#[expect(unsafe_code, reason = "unchecked reads in the innermost loop")]
unsafe fn portable<T: Scalar, const R: usize>(x: Operands<'_, T>, tile: &mut Tile<T>) {
    for s in x.runs {
        for k in 0..x.depth {
            // SAFETY: the caller vouches for COLUMNS elements of B from here.
            let b = unsafe { &*x.b.add(s.b as usize + k * x.b_step).cast::<[T; COLUMNS]>() };
            for (row, sums) in x.rows.iter().zip(tile.iter_mut()).take(R) {
                // SAFETY: the caller vouches for every row's offset into A.
                let a = unsafe { *x.a.add(*row as usize + s.a as usize + k * x.a_step) };
                for (sum, &b) in sums.iter_mut().zip(b) {
                    *sum += a * b;
                }
            }
        }
    }
}
