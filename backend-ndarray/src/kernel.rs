//! One computation under every layer with weights: a tile of a matrix product, 16 columns wide, whose operands are
//! *gathered* by offsets instead of being copied.
//!
//! A tile computes `C[i][j] += sum A[rows[i] + s.a + k * a_step] * B[s.b + k * b_step + j]` over the runs `s`
//! and `k < depth`. With pixels as rows and filter rows as runs this is a convolution on the image itself
//! (implicit GEMM: no im2col buffer); with filter taps as rows and image rows as runs it is that
//! convolution's weight gradient; with one run it is a dense layer.

mod caches;
mod micro;
mod product;
mod table;
#[cfg(test)]
mod tests;
mod vectors;
mod wide;

pub use caches::Caches;
pub use micro::{COLUMNS, MicroKernels};
pub use product::{Finish, Start, Target, pack_columns, pack_rows, panels, product, product_in_place};
pub use table::{Run, Runs};
#[cfg(target_arch = "x86_64")]
pub use vectors::Set;
pub use vectors::{UnknownVectors, Vectors, arithmetic};
pub(crate) use wide::wide;
