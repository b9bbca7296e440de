//! Sums of outer products, which gradients of weights are.

use super::winograd::LANES;
use crate::{
    Number,
    buffer::Buffer,
    kernel::{COLUMNS, Caches, MicroKernels, Run, Runs},
    product::{Finish, Start, Target, panels, product},
    team::{Share, Team},
};

/// Points whose products are added up at a time: a panel of so many fills half of the nearest cache, and reading and
/// writing the sums is shared by as many products.
fn points_a_chunk() -> usize {
    Caches::of_machine().first / (2 * COLUMNS * size_of::<f32>())
}
/// Rows of a sum that one task computes: a multiple of every micro-kernel's rows and of [`LANES`].
const ROWS_A_TASK: usize = 48;

/// One of a product's two.
#[derive(Clone, Copy)]
pub enum Operand {
    A,
    B,
}

/// Sums of outer products over the points (pixels or tiles) of all samples, `C += A^T B`, for one or more matrices C.
///
/// Samples come a chunk at a time: the caller fills in their A and B, then each task adds the chunk to its part of the
/// sums. So there is one set of sums however many threads there are, and every sum is added up in the order of the
/// points. A lies in lanes, eight rows of C after eight with all their points, and B in panels, sixteen columns after
/// sixteen: what a tile reads is contiguous. (Where it lies a power of two apart instead, it competes for few places of
/// the cache: seen to cost two thirds of the speed.)
pub struct OuterProducts<T> {
    points: usize,
    rows: usize,
    columns: usize,
    a: Buffer<T>,
    b: Buffer<T>,
    /// A chunk's samples in A and in B.
    samples: Vec<Run>,
    /// Elements from a matrix to the next, in A and in B.
    matrix_lens: [usize; 2],
    a_rows: Vec<u32>,
    c_rows: Vec<u32>,
}

impl<T: Number> OuterProducts<T> {
    /// For `matrices` matrices C of `rows x columns`, rows a multiple of [`LANES`]; each of up to `batch` samples has
    /// `points` points. Its matrices lie `matrix_lens` elements apart in A and in B, at least
    /// [`OuterProducts::matrix_lens`].
    pub fn new(
        matrices: usize,
        points: usize,
        [rows, columns]: [usize; 2],
        matrix_lens: [usize; 2],
        batch: usize,
    ) -> Self {
        let lens = matrix_lens.map(|len| matrices * len);
        let samples = points_a_chunk().div_ceil(points).min(batch);
        Self {
            points,
            rows,
            columns,
            a: Buffer::zeros(samples * lens[0]),
            b: Buffer::zeros(samples * lens[1]),
            samples: (0..samples)
                .map(|sample| Run { a: (sample * lens[0]) as u32, b: (sample * lens[1]) as u32 })
                .collect(),
            matrix_lens,
            a_rows: rows_in_lanes(rows, points),
            c_rows: (0..rows).map(|row| (row * columns) as u32).collect(),
        }
    }

    /// Elements that a sample's matrices take in A and in B.
    pub const fn matrix_lens(points: usize, rows: usize, columns: usize) -> [usize; 2] {
        [rows * points, panels(columns) * COLUMNS * points]
    }

    /// Overwrites `sums` (matrix after matrix) with the sums over all samples of the images `x` and `y`, given the
    /// elements of a sample of each. `fill` writes a sample's A, given its part of `x`, or its B, given that of `y`, matrix
    /// after matrix; B's columns beyond the last stay zero.
    pub fn compute(
        &mut self,
        team: &Team,
        kernels: &MicroKernels<T>,
        (x, x_len): (&[T], usize),
        (y, y_len): (&[T], usize),
        fill: impl Fn(Operand, &mut [T], &[T]) + Sync,
        sums: &mut [T],
    ) {
        let matrices = sums.len() / (self.rows * self.columns);
        let [a_len, b_len] = self.matrix_lens.map(|len| matrices * len);
        let chunk = self.samples.len();
        let mut start = Start::Zero;
        for (x, y) in x.chunks(chunk * x_len).zip(y.chunks(chunk * y_len)) {
            let a = self.a.chunks_exact_mut(a_len).zip(x.chunks_exact(x_len));
            let b = self.b.chunks_exact_mut(b_len).zip(y.chunks_exact(y_len));
            a.map(|sample| (Operand::A, sample))
                .chain(b.map(|sample| (Operand::B, sample)))
                .share(team, |(operand, (to, from))| fill(operand, to, from));
            self.add(team, kernels, x.len() / x_len, start, sums);
            start = Start::Existing;
        }
    }

    /// Adds a chunk of samples to the sums.
    fn add(
        &self,
        team: &Team,
        kernels: &MicroKernels<T>,
        samples: usize,
        start: Start<'_, T>,
        sums: &mut [T],
    ) {
        let Self { points, rows, columns, matrix_lens, .. } = *self;
        let runs = Runs {
            list: &self.samples[..samples],
            depth: points,
            a_step: LANES,
            b_step: COLUMNS,
            b_panel: COLUMNS * points,
            block: (points_a_chunk() / points).max(1),
        };
        sums.chunks_exact_mut(rows * columns)
            .enumerate()
            .flat_map(|(matrix, sums)| {
                let parts = sums.chunks_mut(ROWS_A_TASK * columns).enumerate();
                parts.map(move |(i, sums)| (matrix, i * ROWS_A_TASK, sums))
            })
            .share(team, |(matrix, first, out)| {
                let rows = out.len() / columns;
                let a_rows = &self.a_rows[first..first + rows];
                let (a, b) = (&self.a[matrix * matrix_lens[0]..], &self.b[matrix * matrix_lens[1]..]);
                let finish = Finish::Nothing;
                let target = Target { out, rows: &self.c_rows[..rows], columns, start, finish };
                product(kernels, a, a_rows, b, runs, target);
            });
    }
}

/// Where each row starts in a matrix that lies in lanes, eight rows after eight with all their `points`.
pub fn rows_in_lanes(rows: usize, points: usize) -> Vec<u32> {
    (0..rows).map(|row| (row / LANES * LANES * points + row % LANES) as u32).collect()
}
