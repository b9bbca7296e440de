//! How a product is cut into tiles, one for each block of threads: the host's side of `kernels/tile.cuh` and `tensor.cuh`.

use crate::Precision;

/// Rows and columns that a block of threads computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tile {
    Wide,
    Narrow,
}

impl Tile {
    /// Threads of a block; on tensor cores a warp has 32 rows and 32 columns of a wide tile, 32 and 16 of a narrow one.
    pub const fn threads(self, precision: Precision) -> u32 {
        match (self, precision) {
            (Self::Narrow, _) | (Self::Wide, Precision::Single) => 128,
            (Self::Wide, Precision::Tf32 | Precision::Bf16) => 256,
        }
    }

    /// The wide one where most of it is used.
    pub const fn of(rows: usize, columns: usize) -> Self {
        if rows >= 512 && columns >= 48 { Self::Wide } else { Self::Narrow }
    }

    pub const fn tiles(self, rows: usize, columns: usize) -> [usize; 2] {
        let (tall, wide) = match self {
            Self::Wide => (128, 64),
            Self::Narrow => (64, 32),
        };
        [rows.div_ceil(tall), columns.div_ceil(wide)]
    }
}
