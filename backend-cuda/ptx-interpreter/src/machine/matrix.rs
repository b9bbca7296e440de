//! Products of matrices that a warp holds together. In groups of four, lanes hold rows of the sum and columns of `b`.

use super::warp::Warp;
use crate::column::{Column, Lanes, WARP};
use crate::program::{Element, Multiply};

const ROWS: usize = 16;
const COLUMNS: usize = 8;
/// The most columns of `a` that there are.
const DEPTH: usize = Element::Bf16.depth();

impl Warp {
    /// `mma.sync` by all lanes. Products are exact, their sum is one of doubles, rounded once: a device rounds, or cuts
    /// off, more often.
    pub(super) fn multiply(&mut self, multiply: &Multiply) {
        let Multiply { element, d, a, b, c } = multiply;
        let (a, b) = (a.map(|r| self.column(r)), b.map(|r| self.column(r)));
        // Each element is used eight or sixteen times: they are taken out of their registers once.
        let mut rows = [[0.0; DEPTH]; ROWS];
        let mut columns = [[0.0; DEPTH]; COLUMNS];
        for k in 0..element.depth() {
            for (row, of_row) in rows.iter_mut().enumerate() {
                of_row[k] = element.of_a(&a, row, k);
            }
            for (column, of_column) in columns.iter_mut().enumerate() {
                of_column[k] = element.of_b(&b, k, column);
            }
        }
        let mut sums = c.map(|r| *self.column(r));
        for (i, sum) in sums.iter_mut().enumerate() {
            for (lane, sum) in sum.iter_mut().enumerate() {
                let (row, column) = place(lane, i);
                let terms = rows[row].iter().zip(&columns[column]).take(element.depth()).map(|(a, b)| a * b);
                let whole = f64::from(f32::from_bits(*sum as u32)) + terms.sum::<f64>();
                *sum = u64::from((whole as f32).to_bits());
            }
        }
        for (register, sum) in d.iter().zip(&sums) {
            self.write(*register, sum, Lanes::MAX);
        }
    }
}

/// Row and column of the sum's element `i` of a lane.
fn place(lane: usize, i: usize) -> (usize, usize) {
    let (row, column) = (lane / 4 + i / 2 * (ROWS / 2), lane % 4 * 2 + i % 2);
    debug_assert!(lane < WARP && row < ROWS && column < COLUMNS);
    (row, column)
}

impl Element {
    fn of_a(self, a: &[&Column], row: usize, k: usize) -> f64 {
        let lane = row % 8 * 4;
        match self {
            // Rows of the lower half are in the odd registers, columns from 4 on in the last two.
            Self::Tf32 => tf32(a[row / 8 + k / 4 * 2][lane + k % 4]),
            Self::Bf16 => bf16(a[row / 8 + k / 8 * 2][lane + k % 8 / 2], k % 2),
        }
    }

    fn of_b(self, b: &[&Column], k: usize, column: usize) -> f64 {
        let lane = column * 4;
        match self {
            Self::Tf32 => tf32(b[k / 4][lane + k % 4]),
            Self::Bf16 => bf16(b[k / 8][lane + k % 8 / 2], k % 2),
        }
    }
}

fn tf32(bits: u64) -> f64 {
    f64::from(f32::from_bits(bits as u32 & 0xffff_e000))
}

/// Of a pair the low one, or the high one.
fn bf16(pair: u64, high: usize) -> f64 {
    f64::from(f32::from_bits((pair as u32 >> (16 * high)) << 16))
}
