//! `mma.sync` against a plain product. Elements go to lanes by the PTX manual's tables, written down here once more.

use crate::bench::{Argument::Long, Bench, HEAD};
use proptest::prelude::*;

/// Loads eight registers of each lane for a and b, four for c, multiplies, stores four.
fn kernel(instruction: &str) -> String {
    let load = |name: char, count: usize, at: usize| {
        (0..count).map(|i| format!("ld.global.b32 %{name}{i}, [%d1+{}];\n", 4 * (at + i))).collect::<String>()
    };
    format!(
        "{HEAD}.visible .entry k(.param .u64 in, .param .u64 out) {{
        .reg .b32 %a<4>, %b<4>, %c<4>, %o<4>, %t<2>; .reg .b64 %d<4>;
        ld.param.u64 %d1, [in]; ld.param.u64 %d2, [out]; mov.u32 %t1, %tid.x;
        mad.wide.u32 %d1, %t1, 40, %d1; mad.wide.u32 %d2, %t1, 16, %d2;
        {}{}{}
        {instruction} {{%o0, %o1, %o2, %o3}}, {{%a0, %a1, %a2, %a3}}, {{%b0, %b1}}, {{%c0, %c1, %c2, %c3}};
        st.global.b32 [%d2], %o0; st.global.b32 [%d2+4], %o1; st.global.b32 [%d2+8], %o2; st.global.b32 [%d2+12], %o3;
        ret; }}",
        load('a', 4, 0),
        load('b', 2, 4),
        load('c', 4, 6)
    )
}

/// Row and column of element i of a lane in the sum: two neighbours, eight rows apart.
fn of_sum(lane: usize, i: usize) -> [usize; 2] {
    let row = if i < 2 { lane >> 2 } else { (lane >> 2) + 8 };
    [row, (lane % 4) * 2 + (i & 1)]
}

/// Runs the instruction on matrices a (16 x depth), b (depth x 8) and c (16 x 8), row by row.
fn multiply(instruction: &str, words: &[[u32; 10]; 32]) -> Vec<Vec<f32>> {
    let mut bench = Bench::new(&kernel(instruction));
    let (from, to) = (bench.words(words.as_flattened()), bench.fresh(16 * 32));
    bench.launch("k", [1, 1, 1], [32, 1, 1], 0, &[Long(from), Long(to)]).unwrap();
    let found = bench.read_floats(to, 128);
    let mut sum = vec![vec![f32::NAN; 8]; 16];
    for lane in 0..32 {
        for i in 0..4 {
            let [row, column] = of_sum(lane, i);
            sum[row][column] = found[4 * lane + i];
        }
    }
    sum
}

/// The product in f64, rounded once.
fn expected(a: &[f32], b: &[f32], c: &[f32], depth: usize) -> Vec<Vec<f32>> {
    let element = |row: usize, column: usize| {
        let terms = (0..depth).map(|k| f64::from(a[row * depth + k]) * f64::from(b[k * 8 + column]));
        (f64::from(c[row * 8 + column]) + terms.sum::<f64>()) as f32
    };
    (0..16).map(|row| (0..8).map(|column| element(row, column)).collect()).collect()
}

fn values(count: usize) -> impl Strategy<Value = Vec<f32>> {
    proptest::collection::vec(prop_oneof![-8f32..8.0, Just(0.0f32), -1e3f32..1e3], count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn tf32_is_a_product_of_ten_bits(a in values(16 * 8), b in values(8 * 8), c in values(16 * 8), noise in 0u32..8192) {
        let cut = |x: &f32| f32::from_bits(x.to_bits() & !0x1fff);
        let (a, b): (Vec<f32>, Vec<f32>) = (a.iter().map(cut).collect(), b.iter().map(cut).collect());
        // What lies below the ten bits does not count.
        let word = |x: f32| x.to_bits() | noise;
        let words = core::array::from_fn(|lane| {
            let (group, thread) = (lane >> 2, lane % 4);
            core::array::from_fn(|i| match i {
                0..4 => {
                    let row = if i == 0 || i == 2 { group } else { group + 8 };
                    let column = if i < 2 { thread } else { thread + 4 };
                    word(a[row * 8 + column])
                }
                4..6 => word(b[(if i == 4 { thread } else { thread + 4 }) * 8 + group]),
                _ => {
                    let [row, column] = of_sum(lane, i - 6);
                    c[row * 8 + column].to_bits()
                }
            })
        });
        let found = multiply("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", &words);
        prop_assert_eq!(found, expected(&a, &b, &c, 8));
    }

    #[test]
    fn bf16_is_a_product_of_seven_bits(a in values(16 * 16), b in values(16 * 8), c in values(16 * 8)) {
        let cut = |x: &f32| f32::from_bits(x.to_bits() & 0xffff_0000);
        let (a, b): (Vec<f32>, Vec<f32>) = (a.iter().map(cut).collect(), b.iter().map(cut).collect());
        let pair = |low: f32, high: f32| low.to_bits() >> 16 | high.to_bits();
        let words = core::array::from_fn(|lane| {
            let (group, thread) = (lane >> 2, lane % 4);
            core::array::from_fn(|i| match i {
                0..4 => {
                    // Elements 2i and 2i + 1.
                    let row = if i == 0 || i == 2 { group } else { group + 8 };
                    let column = thread * 2 + if i < 2 { 0 } else { 8 };
                    pair(a[row * 16 + column], a[row * 16 + column + 1])
                }
                4..6 => {
                    let row = thread * 2 + if i == 4 { 0 } else { 8 };
                    pair(b[row * 8 + group], b[(row + 1) * 8 + group])
                }
                _ => {
                    let [row, column] = of_sum(lane, i - 6);
                    c[row * 8 + column].to_bits()
                }
            })
        });
        let found = multiply("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", &words);
        prop_assert_eq!(found, expected(&a, &b, &c, 16));
    }
}

#[test]
fn a_product_takes_all_lanes() {
    let source = kernel("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32");
    let source = source.replace(
        "mov.u32 %t1, %tid.x;",
        "mov.u32 %t1, %tid.x; .reg .pred %p; setp.eq.u32 %p, %t1, 5; @%p ret;",
    );
    let mut bench = Bench::new(&source);
    let (from, to) = (bench.words(&[0; 320]), bench.fresh(16 * 32));
    let fault = bench.launch("k", [1, 1, 1], [32, 1, 1], 0, &[Long(from), Long(to)]).unwrap_err().to_string();
    assert!(fault.contains("takes all 32 lanes") && fault.contains("thread (5, 0, 0)"), "{fault}");
}
