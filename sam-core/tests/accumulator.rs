//! A norm's bits: the same for every split into tensors and every number of threads, and close to exact.

use core::ops::ControlFlow;

use proptest::prelude::*;
use sam_core::formula::{BLOCK, DualNorm, NormAccumulator, Partial, dual_norm};
use sam_core::{Norm, Real, Rule};

fn vectors() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    (0..5 * BLOCK, any::<u64>(), -320.0..300.0f64).prop_map(|(n, seed, decade)| {
        let mut state = seed | 1;
        let mut uniform = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0
        };
        let w = (0..n).map(|_| uniform()).collect();
        (w, (0..n).map(|_| uniform() * 10f64.powf(decade)).collect())
    })
}

fn rules() -> impl Strategy<Value = Rule<f64>> {
    let p = prop_oneof![Just(1.0), Just(2.0), Just(f64::INFINITY), 1.05..20.0f64];
    (p, prop::option::of(0.01..1.0f64)).prop_filter_map("a norm", |(p, adaptive)| {
        Some(Rule::new(0.05, Norm::from_p(p).ok()?).with_adaptive(adaptive))
    })
}

fn in_pieces<R: Real>(rule: &Rule<R>, w: &[R], g: &[R], cuts: &[usize]) -> DualNorm {
    let mut accumulator = NormAccumulator::new(rule);
    loop {
        let mut from = 0;
        for to in cuts.iter().copied().chain([g.len()]) {
            accumulator.push(&w[from..to], &g[from..to]);
            from = to;
        }
        match accumulator.finish() {
            ControlFlow::Break(norm) => return norm,
            ControlFlow::Continue(next) => accumulator = next,
        }
    }
}

/// Blocks computed last to first, as if by threads that finish in any order, sent as words, and merged first to last.
fn in_blocks<R: Real>(rule: &Rule<R>, w: &[R], g: &[R]) -> DualNorm {
    let mut accumulator = NormAccumulator::new(rule);
    loop {
        let blocks: Vec<_> = w.chunks(BLOCK).zip(g.chunks(BLOCK)).collect();
        let mut partials: Vec<_> = blocks.iter().rev().map(|(w, g)| accumulator.block(w, g)).collect();
        partials.reverse();
        partials.into_iter().for_each(|partial| accumulator.merge(Partial::from_words(partial.to_words())));
        match accumulator.finish() {
            ControlFlow::Break(norm) => return norm,
            ControlFlow::Continue(next) => accumulator = next,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_bits_do_not_depend_on_the_split((w, g) in vectors(), rule in rules(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|i| i.index(g.len() + 1)).collect();
        cuts.sort_unstable();
        let whole = dual_norm(&rule, &w, &g);
        prop_assert_eq!(in_pieces(&rule, &w, &g, &cuts), whole);
        prop_assert_eq!(in_blocks(&rule, &w, &g), whole);

        let narrow = |v: &[f64]| v.iter().map(|x| *x as f32).collect::<Vec<_>>();
        let (w, g) = (narrow(&w), narrow(&g.iter().map(|g| g.cbrt().cbrt()).collect::<Vec<_>>()));
        let rule = Rule::new(0.05f32, rule.norm).with_adaptive(rule.adaptive.map(|eta| eta as f32));
        let whole = dual_norm(&rule, &w, &g);
        prop_assert_eq!(in_pieces(&rule, &w, &g, &cuts), whole);
        prop_assert_eq!(in_blocks(&rule, &w, &g), whole);
    }
}

#[test]
fn ten_million_equal_entries_lose_nothing() {
    // A running f32 sum of squares stops growing at 2^24.
    let n = 10_000_000;
    let g = vec![0.1f32; n];
    let norm = dual_norm(&Rule::l2(0.05f32), &g, &g).value();
    let exact = f64::from(0.1f32) * (n as f64).sqrt();
    assert!((norm - exact).abs() < 5e-7 * exact, "{norm} {exact}");
}
