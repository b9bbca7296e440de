//! Products against plain loops in f64, over shapes that fill no tile, with every micro-kernel that this machine
//! runs.

use proptest::prelude::*;

use super::{Finish, Start, Target, pack_columns, pack_rows, panels, product};
use crate::{
    Number,
    kernel::{COLUMNS, MicroKernels, Run, Runs, Vectors},
};

/// A product on gathered operands whose offsets reach exactly the ends of A and B.
#[derive(Debug, Clone)]
struct Case {
    a: Vec<f64>,
    b: Vec<f64>,
    rows: Vec<u32>,
    runs: Vec<Run>,
    depth: usize,
    steps: (usize, usize),
    b_panel: usize,
    block: usize,
    columns: usize,
}

impl Case {
    /// Columns of all panels, filled up.
    fn whole(&self) -> usize {
        panels(self.columns) * COLUMNS
    }

    /// Where B's value for a product and a column lies.
    fn in_b(&self, run: Run, k: usize, column: usize) -> usize {
        run.b as usize + k * self.steps.1 + column / COLUMNS * self.b_panel + column % COLUMNS
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let extents =
        (1usize..40, 1usize..5, 0usize..40, 1usize..4, COLUMNS..40, 1usize..4, 1usize..=3 * COLUMNS + 1);
    (extents, any::<u64>()).prop_map(|((rows, runs, depth, a_step, b_step, block, columns), seed)| {
        let mut state = seed | 1;
        let mut next = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let rows: Vec<u32> = (0..rows).map(|_| next(50) as u32).collect();
        let runs: Vec<Run> = (0..runs).map(|_| Run { a: next(60) as u32, b: next(90) as u32 }).collect();
        let reach = |starts: usize, step: usize| starts + depth.saturating_sub(1) * step + 1;
        let most = |values: &mut dyn Iterator<Item = u32>| values.max().unwrap_or(0) as usize;
        let a_len = most(&mut rows.iter().copied()) + reach(most(&mut runs.iter().map(|r| r.a)), a_step);
        let b_panel = next(70);
        let before = (panels(columns) - 1) * b_panel;
        let b_len = reach(most(&mut runs.iter().map(|r| r.b)), b_step) + before + COLUMNS;
        let mut values = |n: usize| (0..n).map(|_| next(2001) as f64 / 1000.0 - 1.0).collect::<Vec<f64>>();
        let (a, b) = (values(a_len), values(b_len));
        Case { a, b, rows, runs, depth, steps: (a_step, b_step), b_panel, block, columns }
    })
}

fn reference(case: &Case, row: usize, column: usize) -> f64 {
    let mut sum = 0.0;
    for run in &case.runs {
        for k in 0..case.depth {
            sum += case.a[case.rows[row] as usize + run.a as usize + k * case.steps.0]
                * case.b[case.in_b(*run, k, column)];
        }
    }
    sum
}

/// Values where the target was not written stay what they were.
const UNTOUCHED: f64 = 77.0;

fn check<T: Number>(kernels: &MicroKernels<T>, case: &Case, tolerance: f64) {
    let narrow = |values: &[f64]| values.iter().map(|&v| T::of(v)).collect::<Vec<T>>();
    let (a, b) = (narrow(&case.a), narrow(&case.b));
    let exact = Case {
        a: a.iter().map(|v| v.value()).collect(),
        b: b.iter().map(|v| v.value()).collect(),
        ..case.clone()
    };
    let (before, stride) = (3, case.columns + 5);
    let starts_of_rows = (0..case.rows.len()).rev().map(|row| row * stride);
    let out_rows: Vec<u32> = starts_of_rows.map(|at| (at + before) as u32).collect();
    let bias: Vec<T> = (0..case.columns).map(|j| T::of(j as f64 / 8.0)).collect();
    let starts = [Start::Zero, Start::Existing, Start::Bias(&bias)];
    for (start, finish) in starts.into_iter().flat_map(|s| [(s, Finish::Nothing), (s, Finish::Relu)]) {
        let mut out = vec![T::of(UNTOUCHED); case.rows.len() * stride];
        let target = Target { out: &mut out, rows: &out_rows, columns: case.columns, start, finish };
        let runs = Runs {
            list: &case.runs,
            depth: case.depth,
            a_step: case.steps.0,
            b_step: case.steps.1,
            b_panel: case.b_panel,
            block: case.block,
        };
        product(kernels, &a, &case.rows, &b, runs, target);
        for (row, &at) in out_rows.iter().enumerate() {
            for j in 0..stride {
                let found = out[at as usize + j - before].value();
                let expected = match j.checked_sub(before).filter(|&j| j < case.columns) {
                    None => UNTOUCHED,
                    Some(j) => {
                        let sum = reference(&exact, row, j)
                            + match start {
                                Start::Zero => 0.0,
                                Start::Existing => UNTOUCHED,
                                Start::Bias(bias) => bias[j].value(),
                            };
                        if finish == Finish::Relu { sum.max(0.0) } else { sum }
                    }
                };
                assert!(
                    (found - expected).abs() <= tolerance,
                    "row {row}, column {j}: {found}, not {expected}"
                );
            }
        }
    }
}

/// Some rows of a case's product, from zero and in whole panels.
fn bits(kernels: &MicroKernels<f32>, case: &Case, rows: &[u32], (a, b): (&[f32], &[f32])) -> Vec<u32> {
    let (a_step, b_step) = case.steps;
    let Case { b_panel, block, depth, .. } = *case;
    let runs = Runs { list: &case.runs, depth, a_step, b_step, b_panel, block };
    let columns = case.whole();
    let mut out = vec![0f32; rows.len() * columns];
    let out_rows: Vec<u32> = (0..rows.len()).map(|row| (row * columns) as u32).collect();
    let (start, finish) = (Start::Zero, Finish::Nothing);
    let target = Target { out: &mut out, rows: &out_rows, columns, start, finish };
    product(kernels, a, rows, b, runs, target);
    out.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn products_equal_plain_loops(case in cases()) {
        check(&MicroKernels::<f64>::plain(), &case, 1e-12);
        for vectors in Vectors::available() {
            check(&MicroKernels::of(vectors), &case, 1e-3);
        }
    }

    /// The promise that lets a run go on elsewhere: one fused multiply-add after the other, whatever a tile's shape.
    #[test]
    fn every_set_of_vectors_has_the_bits_of_a_plain_loop(case in cases()) {
        let a: Vec<f32> = case.a.iter().map(|&v| v as f32).collect();
        let b: Vec<f32> = case.b.iter().map(|&v| v as f32).collect();
        for vectors in Vectors::available() {
            let found = bits(&MicroKernels::of(vectors), &case, &case.rows, (&a, &b));
            let mut expected = Vec::new();
            for &row in &case.rows {
                for column in 0..case.whole() {
                    let products = case.runs.iter().flat_map(|run| (0..case.depth).map(move |k| (run, k)));
                    let sum = products.fold(0f32, |sum, (run, k)| {
                        let a = a[row as usize + run.a as usize + k * case.steps.0];
                        let b = b[case.in_b(*run, k, column)];
                        if vectors.fuse() { a.mul_add(b, sum) } else { sum + a * b }
                    });
                    expected.push(sum.to_bits());
                }
            }
            prop_assert_eq!(found, expected, "{:?}", vectors);
        }
    }

    /// A row's bits depend on its own operands only, not on which rows share its tile.
    #[test]
    fn a_rows_bits_do_not_depend_on_its_neighbours(case in cases()) {
        let a: Vec<f32> = case.a.iter().map(|&v| v as f32).collect();
        let b: Vec<f32> = case.b.iter().map(|&v| v as f32).collect();
        for kernels in Vectors::available().map(MicroKernels::of) {
            let together = bits(&kernels, &case, &case.rows, (&a, &b));
            for (row, expected) in case.rows.iter().zip(together.chunks_exact(case.whole())) {
                prop_assert_eq!(&bits(&kernels, &case, &[*row], (&a, &b))[..], expected);
            }
        }
    }

    #[test]
    fn packing_fills_panels_row_by_row_and_pads_with_zeros(depth in 1usize..9, columns in 1usize..50) {
        let team = crate::team::Team::new(2).unwrap();
        let mut packed = vec![f64::NAN; panels(columns) * depth * COLUMNS];
        let matrix: Vec<f64> = (1..=depth * columns).map(|value| value as f64).collect();
        pack_rows(&team, &mut packed, matrix.chunks_exact(columns));
        let transpose: Vec<f64> =
            (0..columns).flat_map(|j| (0..depth).map(move |k| (1 + k * columns + j) as f64)).collect();
        // In one piece, and in pieces of a row each.
        for (pieces, rows) in [(1, depth), (depth, 1)] {
            let mut by_columns = vec![f64::NAN; packed.len()];
            pack_columns(&team, &mut by_columns, (pieces, rows, columns), |i, j| {
                &transpose[j * depth + i * rows..][..rows]
            });
            prop_assert_eq!(&by_columns, &packed);
        }
        for (at, &value) in packed.iter().enumerate() {
            let (panel, k, j) = (at / (depth * COLUMNS), at / COLUMNS % depth, at % COLUMNS);
            let column = panel * COLUMNS + j;
            let expected = if column < columns { (1 + k * columns + column) as f64 } else { 0.0 };
            prop_assert_eq!(value, expected);
        }
    }
}

/// A row of four products, of eight values of A from `row` on.
fn one_row(run: Run, row: u32) {
    let runs = Runs { list: &[run], depth: 4, a_step: 1, b_step: COLUMNS, b_panel: 0, block: 1 };
    let (start, finish) = (Start::Zero, Finish::Nothing);
    let mut out = [0f32; COLUMNS];
    let target = Target { out: &mut out, rows: &[0], columns: COLUMNS, start, finish };
    product(&f32::kernels(), &[0.0; 8], &[row], &[0.0; 4 * COLUMNS], runs, target);
}

#[test]
#[should_panic(expected = "lead out of A")]
fn a_row_that_leads_out_of_its_operand_is_refused() {
    one_row(Run { a: 0, b: 0 }, 5);
}

#[test]
#[should_panic(expected = "lead out of B")]
fn a_run_that_leads_out_of_its_operand_is_refused() {
    one_row(Run { a: 0, b: 1 }, 0);
}
