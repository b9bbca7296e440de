//! Kernels as a compiler writes them (`tests/kernels/corpus.cu`) against the same computed here.

use crate::bench::{Argument::Long, Argument::Word, Bench};
use proptest::prelude::*;

const CORPUS: &str = include_str!("../kernels/corpus.ptx");

fn numbers(count: usize) -> impl Strategy<Value = Vec<f32>> {
    proptest::collection::vec(-2f32..2.0, count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn matrix_product((m, n, k, a, b) in (1usize..40, 1usize..40, 1usize..40).prop_flat_map(|(m, n, k)| (Just(m), Just(n), Just(k), numbers(m * k), numbers(k * n)))) {
        let mut bench = Bench::new(CORPUS);
        let (left, right, out) = (bench.floats(&a), bench.floats(&b), bench.fresh(4 * m * n));
        let words = [m, n, k].map(|x| Word(x as u32));
        let arguments = [Long(left), Long(right), Long(out), words[0], words[1], words[2]];
        bench.launch("matrix_product", [n.div_ceil(16) as u32, m.div_ceil(16) as u32, 1], [16, 16, 1], 0, &arguments).unwrap();
        let found = bench.read_floats(out, m * n);
        for row in 0..m {
            for column in 0..n {
                // The same order of the same fused operations: the same bits.
                let wanted = (0..k).fold(0f32, |sum, i| a[row * k + i].mul_add(b[i * n + column], sum));
                prop_assert_eq!(found[row * n + column].to_bits(), wanted.to_bits());
            }
        }
    }

    #[test]
    fn softmax(z in numbers(5 * 37)) {
        let mut bench = Bench::new(CORPUS);
        let (from, to) = (bench.floats(&z), bench.fresh(4 * z.len()));
        bench.launch("softmax", [5, 1, 1], [64, 1, 1], 256, &[Long(from), Long(to), Word(37)]).unwrap();
        for (row, found) in z.chunks(37).zip(bench.read_floats(to, z.len()).chunks(37)) {
            let sum: f64 = row.iter().map(|&x| f64::from(x).exp()).sum();
            for (x, p) in row.iter().zip(found) {
                let wanted = f64::from(*x).exp() / sum;
                prop_assert!((f64::from(*p) - wanted).abs() <= 2e-6 * wanted);
            }
        }
    }

    #[test]
    fn sum_of_squares(x in numbers(777)) {
        let mut bench = Bench::new(CORPUS);
        let (from, to) = (bench.floats(&x), bench.buffer(&[0; 8]));
        bench.launch("sum_of_squares", [3, 1, 1], [96, 1, 1], 0, &[Long(from), Long(to), Word(777)]).unwrap();
        let found = f64::from_le_bytes(bench.read(to, 8).try_into().unwrap());
        let wanted: f64 = x.iter().map(|&x| f64::from(x).powi(2)).sum();
        prop_assert!((found - wanted).abs() <= 1e-13 * wanted);
    }

    #[test]
    fn patches(x in numbers(2 * 5 * 7)) {
        let mut bench = Bench::new(CORPUS);
        let total = 2 * 9 * 35;
        let (from, to) = (bench.floats(&x), bench.fresh(4 * total));
        bench.launch("patches", [total.div_ceil(64) as u32, 1, 1], [64, 1, 1], 0, &[Long(from), Long(to), Word(2), Word(5), Word(7)]).unwrap();
        let found = bench.read_floats(to, total);
        let pixel = |channel: usize, row: isize, column: isize| {
            let inside = (0..5).contains(&row) && (0..7).contains(&column);
            if inside { x[channel * 35 + row as usize * 7 + column as usize] } else { 0.0 }
        };
        let mut at = 0;
        for channel in 0..2 {
            for (dr, dc) in (-1..2).flat_map(|r| (-1..2).map(move |c| (r, c))) {
                for (row, column) in (0..5).flat_map(|r| (0..7).map(move |c| (r, c))) {
                    prop_assert_eq!(found[at], pixel(channel, row + dr, column + dc));
                    at += 1;
                }
            }
        }
    }

    #[test]
    fn functions(x in numbers(100)) {
        let mut bench = Bench::new(CORPUS);
        let (from, to) = (bench.floats(&x), bench.fresh(4 * 800));
        bench.launch("functions", [2, 1, 1], [64, 1, 1], 0, &[Long(from), Long(to), Word(100)]).unwrap();
        let found = bench.read_floats(to, 800);
        // The CUDA library's own bounds are 1 to 4 ulps; f32 arguments are exact here, so f64 tells the truth.
        let exact: [fn(f64) -> f64; 8] = [
            f64::exp, |x| f64::from(x.abs() as f32 + 1.0).ln(), |x| f64::from(x as f32 * 1000.0).sin(), |x| f64::from(x.abs() as f32 + 0.5).powf(f64::from(1.7f32)),
            f64::tanh, f64::exp, erf, f64::cbrt,
        ];
        for (function, exact) in exact.iter().enumerate() {
            for (i, x) in x.iter().enumerate() {
                let wanted = exact(f64::from(*x));
                let error = (f64::from(found[100 * function + i]) - wanted).abs();
                prop_assert!(error <= 8.0 * 2f64.powi(-24) * wanted.abs().max(1e-3), "function {function} of {x}: {error:e} of {wanted}");
            }
        }
    }

    #[test]
    fn histogram(x in proptest::collection::vec(any::<u8>(), 500)) {
        let mut bench = Bench::new(CORPUS);
        let (from, to) = (bench.buffer(&x), bench.fresh(32));
        bench.launch("histogram", [1, 1, 1], [96, 1, 1], 0, &[Long(from), Long(to), Word(500)]).unwrap();
        let wanted: Vec<u32> = (0..8).map(|b| x.iter().filter(|&&v| v & 7 == b).count() as u32).collect();
        prop_assert_eq!(bench.read_words(to, 8), wanted);
    }
}

/// The error function by its Taylor series, which converges quickly for such arguments.
fn erf(x: f64) -> f64 {
    let mut term = x;
    let mut sum = x;
    for n in 1..60 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}
