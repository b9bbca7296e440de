//! Micro-kernels: one tile of a matrix product in registers.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod tiles;

use core::ops::{AddAssign, Mul};

use num_traits::Zero;

use super::{
    table::Run,
    vectors::{Set, Vectors},
};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use tiles::tiles;

/// Columns of a panel.
pub const COLUMNS: usize = 16;
/// Most rows of a tile.
pub const MOST_ROWS: usize = 12;
/// Most panels of a tile.
pub const MOST_PANELS: usize = 2;

/// What the sums of a tile start from.
#[derive(Clone, Copy)]
pub enum Initial<T> {
    Zero,
    /// What is in the target already.
    Existing,
    /// The same values in every row.
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
    /// Elements of B between two panels.
    pub b_panel: usize,
    pub initial: Initial<T>,
    pub out: *mut T,
    /// Offset of each row of the tile into the target.
    pub out_rows: &'a [u32],
}

/// Computes a tile.
///
/// # Safety
/// `rows` and `out_rows` have as many entries as the kernel has rows. Every `rows[i] + s.a + k * a_step` is within
/// A's allocation, every `s.b + k * b_step + p * b_panel + j` within B's, every `out_rows[i] + p * COLUMNS + j` within the
/// target's, for all runs `s`, `k < depth`, `j < COLUMNS` and panels `p` of the kernel; an initial row has `COLUMNS` values for each
/// panel. Nobody else uses the target. The machine has the instruction set that the kernel was compiled for.
pub type MicroKernel<T> = unsafe fn(Operands<'_, T>);

/// Micro-kernels for 1 to so many rows, at most [`MOST_ROWS`]. They only use instructions that this machine has.
#[derive(Clone, Copy)]
pub struct MicroKernels<T> {
    /// Of one panel. Behind the last of them it comes again.
    tiles: [MicroKernel<T>; MOST_ROWS],
    /// Of two panels, with as many rows each, where there are registers for them.
    pairs: Option<[MicroKernel<T>; MOST_ROWS]>,
    rows: usize,
}

impl<T: Copy + Zero + Mul<Output = T> + AddAssign> MicroKernels<T> {
    fn new(tiles: &[MicroKernel<T>], pairs: Option<&[MicroKernel<T>]>) -> Self {
        let all = |tiles: &[MicroKernel<T>]| core::array::from_fn(|i| tiles[i.min(tiles.len() - 1)]);
        Self { tiles: all(tiles), pairs: pairs.map(all), rows: tiles.len() }
    }

    /// For any machine.
    pub fn plain() -> Self {
        Self::new(
            &[plain::<T, 1>, plain::<T, 2>, plain::<T, 3>, plain::<T, 4>, plain::<T, 5>, plain::<T, 6>],
            None,
        )
    }

    /// Rows of a whole tile.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Kernels for one panel, in the order of their rows, of which there are at most [`MicroKernels::rows`].
    #[inline(always)]
    pub const fn tiles(&self) -> &[MicroKernel<T>; MOST_ROWS] {
        &self.tiles
    }

    /// Those for two panels: a value of A that is loaded serves twice as many products.
    #[inline(always)]
    pub const fn pairs(&self) -> Option<&[MicroKernel<T>; MOST_ROWS]> {
        self.pairs.as_ref()
    }
}

impl MicroKernels<f32> {
    /// In these instructions.
    pub fn of(vectors: Vectors) -> Self {
        match vectors.set() {
            Set::Plain => Self::plain(),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => Self::new(avx2::tiles::<1>(), None),
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => Self::new(avx512::tiles::<1>(), Some(avx512::tiles::<2>())),
            #[cfg(target_arch = "aarch64")]
            Set::Neon => Self::new(neon::tiles::<1>(), None),
        }
    }
}

#[expect(unsafe_code, reason = "unchecked reads in the innermost loop")]
unsafe fn plain<T: Copy + Zero + Mul<Output = T> + AddAssign, const R: usize>(x: Operands<'_, T>) {
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
