//! Equation 2 as properties: the perturbation lies on the sphere, attains Hoelder's bound, and nothing beats
//! it.
//!
//! The references are plain `f64` loops over entries divided by the largest one.

use proptest::prelude::*;
use sam_core::formula::{Ascent, dual_norm};
use sam_core::{Norm, Real, Rule, Verdict};

/// All kinds of p, and every decade of "between".
fn norms() -> impl Strategy<Value = Norm> {
    prop_oneof![
        Just(Norm::L1),
        Just(Norm::L2),
        Just(Norm::LInf),
        (1.05f64..2.0).prop_filter_map("a norm", |p| Norm::from_p(p).ok()),
        (2.0f64..20.0).prop_filter_map("a norm", |p| Norm::from_p(p).ok()),
    ]
}

/// Entries of one common magnitude `10^k`, some zero, some smaller by up to twenty decades.
fn gradients(decades: std::ops::Range<f64>) -> impl Strategy<Value = Vec<f64>> {
    let entry = prop_oneof![
        1 => Just(0.0),
        6 => -1.0..1.0f64,
        2 => (-1.0..1.0f64, 0.0..20.0f64).prop_map(|(x, down)| x * 10f64.powf(-down)),
    ];
    (prop::collection::vec(entry, 0..40), 0.1..1.0f64, decades).prop_map(|(mut g, one, decade)| {
        g.push(one);
        g.iter().map(|x| x * 10f64.powf(decade)).collect()
    })
}

fn weights(n: usize) -> Vec<f64> {
    (0..n).map(|i| (i as f64 * 0.7 + 0.3).sin()).collect()
}

fn eps<R: Real>(rule: &Rule<R>, w: &[R], g: &[R]) -> Vec<R> {
    let ascent = Ascent::new(rule, &dual_norm(rule, w, g));
    w.iter().zip(g).enumerate().map(|(i, (w, g))| ascent.eps(i, *w, *g)).collect()
}

/// Largest absolute value.
fn peak(v: &[f64]) -> f64 {
    v.iter().fold(0.0, |m, x| m.max(x.abs()))
}

/// `||v||_p` relative to the largest entry.
fn relative_norm(v: &[f64], p: f64) -> f64 {
    let peak = peak(v);
    if p == f64::INFINITY {
        return 1.0;
    }
    v.iter().map(|x| (x.abs() / peak).powf(p)).sum::<f64>().powf(1.0 / p)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn wide<R: Real>(v: &[R]) -> Vec<f64> {
    v.iter().map(|x| x.widen()).collect()
}

fn narrow<R: Real>(v: &[f64]) -> Vec<R> {
    v.iter().map(|x| R::narrow(*x)).collect()
}

/// Sphere and Hoelder equality, for `eps = T e` and `T g`.
fn on_the_sphere_and_holder_equal<R: Real>(rule: &Rule<R>, w: &[R], g: &[R], tolerance: f64) {
    let t = |w: &R| rule.adaptive.map_or(1.0, |eta| w.widen().abs() + eta.widen());
    let eps = eps(rule, w, g);
    let e: Vec<f64> = eps.iter().zip(w).map(|(e, w)| e.widen() / t(w)).collect();
    // Entries up to the largest number: divided before they are multiplied.
    let top = peak(&wide(g));
    let tg: Vec<f64> = g.iter().zip(w).map(|(g, w)| t(w) * (g.widen() / top)).collect();
    let (p, q, rho) = (rule.norm.p(), rule.norm.q(), rule.rho.widen());

    let norm = peak(&e) * relative_norm(&e, p);
    prop_assert_close(norm, rho, tolerance, "||eps||_p = rho");
    let gain = dot(&e, &tg);
    let bound = rho * peak(&tg) * relative_norm(&tg, q);
    prop_assert_close(gain, bound, tolerance, "eps.g = rho ||g||_q");
    let reported = dual_norm(rule, w, g).value() / top;
    if reported.is_finite() && top > 1e-290 {
        prop_assert_close(reported, peak(&tg) * relative_norm(&tg, q), tolerance, "the norm");
    }
}

#[track_caller]
fn prop_assert_close(a: f64, b: f64, tolerance: f64, what: &str) {
    assert!((a - b).abs() <= tolerance * b.abs(), "{what}: {a:e} is not {b:e}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn f64_from_the_smallest_to_the_largest(g in gradients(-300.0..300.0), norm in norms(), rho in 1e-3..10.0f64) {
        on_the_sphere_and_holder_equal(&Rule::new(rho, norm), &weights(g.len()), &g, 1e-12);
    }

    #[test]
    fn f64_at_both_ends(g in gradients(0.0..8.0), norm in norms(), up in any::<bool>()) {
        let end = if up { 1.7e300 } else { 1e-310 };
        let g: Vec<f64> = g.iter().map(|x| x * end).collect();
        // The smallest numbers have fewer digits.
        let tolerance = if up { 1e-12 } else { 1e-6 };
        on_the_sphere_and_holder_equal(&Rule::new(0.05, norm), &weights(g.len()), &g, tolerance);
    }

    #[test]
    fn f32_from_the_smallest_to_the_largest(g in gradients(-37.0..38.0), norm in norms(), rho in 1e-3..10.0f32) {
        let (w, g) = (narrow::<f32>(&weights(g.len())), narrow::<f32>(&g));
        on_the_sphere_and_holder_equal(&Rule::new(rho, norm), &w, &g, 1e-6);
    }

    #[test]
    fn f32_subnormal(g in gradients(-42.0..-37.0), norm in norms()) {
        let (w, g) = (narrow::<f32>(&weights(g.len())), narrow::<f32>(&g));
        prop_assume!(g.iter().any(|g| *g != 0.0));
        on_the_sphere_and_holder_equal(&Rule::new(0.05f32, norm), &w, &g, 1e-6);
    }

    #[test]
    fn adaptive(g in gradients(-150.0..150.0), norm in norms(), eta in 1e-3..1.0f64) {
        on_the_sphere_and_holder_equal(&Rule::new(0.5, norm).adaptive(eta), &weights(g.len()), &g, 1e-12);
        let (w, g) = (narrow::<f32>(&weights(g.len())), narrow::<f32>(&g.iter().map(|g| g.cbrt().cbrt()).collect::<Vec<_>>()));
        on_the_sphere_and_holder_equal(&Rule::new(0.5f32, norm).adaptive(eta as f32), &w, &g, 1e-6);
    }

    #[test]
    fn nothing_in_the_ball_does_better(
        g in gradients(-10.0..10.0), norm in norms(), direction in prop::collection::vec(-1.0..1.0f64, 41),
        mix in 0.0..1.0f64,
    ) {
        let rule = Rule::new(0.05, norm);
        let best = eps(&rule, &weights(g.len()), &g);
        let best_gain = dot(&best, &g);
        // Far from the best point and close to it: both are rivals.
        let rival: Vec<f64> = best.iter().zip(&direction).map(|(b, d)| b * mix / 0.05 + d * (1.0 - mix)).collect();
        let size = peak(&rival) * relative_norm(&rival, norm.p());
        prop_assume!(size > 0.0);
        let rival: Vec<f64> = rival.iter().map(|x| x * 0.05 / size).collect();
        prop_assert!(dot(&rival, &g) <= best_gain * (1.0 + 1e-12));
    }

    #[test]
    fn the_length_of_the_gradient_does_not_matter(g in gradients(-5.0..5.0), norm in norms(), k in -900..900i32, c in 0.1..10.0f64) {
        let (rule, w) = (Rule::new(0.05, norm), weights(g.len()));
        let scaled = |c: f64| eps(&rule, &w, &g.iter().map(|g| g * c).collect::<Vec<_>>());
        let plain = eps(&rule, &w, &g);
        for (a, b) in plain.iter().zip(scaled(c)) {
            prop_assert!((a - b).abs() <= 1e-12 * 0.05, "{a} {b}");
        }
        if norm == Norm::L2 {
            // By a power of two not even a bit, as long as nothing gets subnormal.
            let small = g.iter().any(|g| *g != 0.0 && g.abs() * 2f64.powi(k) < 1e-290);
            if !small {
                prop_assert_eq!(plain, scaled(2f64.powi(k)));
            }
        }
    }

    #[test]
    fn every_coordinate_moves_with_its_gradient(g in gradients(-5.0..5.0), norm in norms()) {
        let eps = eps(&Rule::new(0.05, norm), &weights(g.len()), &g);
        for (e, g) in eps.iter().zip(&g) {
            prop_assert!(*e == 0.0 || e.signum() == g.signum());
            if norm == Norm::LInf {
                prop_assert_eq!(*e, if *g == 0.0 { 0.0 } else { 0.05f64.copysign(*g) });
            }
        }
        if norm == Norm::L1 {
            let top = peak(&g);
            let first = g.iter().position(|g| g.abs() == top);
            prop_assert_eq!(eps.iter().filter(|e| **e != 0.0).count(), 1);
            prop_assert_eq!(eps.iter().position(|e| *e != 0.0), first);
        }
    }

    #[test]
    fn p_near_its_ends_is_the_end(g in prop::collection::vec(0.2..0.9f64, 1..20), place in 0..20usize) {
        let mut g = g;
        let place = place % g.len();
        g[place] = -1.0;
        let w = weights(g.len());
        let at = |norm| eps(&Rule::new(0.05, norm), &w, &g);
        for (near, end) in at(Norm::from_p(1.001).unwrap()).iter().zip(at(Norm::L1)) {
            prop_assert!((near - end).abs() < 1e-12);
        }
        for (near, end) in at(Norm::from_p(1e14).unwrap()).iter().zip(at(Norm::LInf)) {
            prop_assert!((near - end).abs() < 1e-12);
        }
    }

    #[test]
    fn two_as_a_general_p_is_two(g in gradients(-100.0..100.0)) {
        let w = weights(g.len());
        // The nearest exponent that takes the general path.
        let general = Norm::from_p(2.0 + 4.0 * f64::EPSILON).unwrap();
        prop_assert_ne!(general, Norm::L2);
        for (a, b) in eps(&Rule::new(0.05, general), &w, &g).iter().zip(eps(&Rule::l2(0.05), &w, &g)) {
            prop_assert!((a - b).abs() <= 1e-13 * 0.05);
        }
    }

    #[test]
    fn one_bad_entry_is_seen(g in gradients(-30.0..30.0), norm in norms(), place in 0..41usize, bad in 0..3usize) {
        let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][bad];
        let w = weights(g.len());
        let mut g = g;
        let place = place % g.len();
        g[place] = bad;
        for rule in [Rule::new(0.05, norm), Rule::new(0.05, norm).adaptive(0.01)] {
            let norm = dual_norm(&rule, &w, &g);
            prop_assert_eq!(norm.verdict(), Verdict::NonFinite);
            prop_assert_eq!(Ascent::new(&rule, &norm), Ascent::Stay);
        }
    }

    #[test]
    fn a_slice_is_perturbed_like_its_coordinates(g in gradients(-5.0..5.0), norm in norms(), cut in 0..41usize, adaptive in any::<bool>()) {
        let w = weights(g.len());
        let rule = Rule::new(0.05, norm).with_adaptive(adaptive.then_some(0.01));
        let ascent = Ascent::new(&rule, &dual_norm(&rule, &w, &g));
        let cut = cut.min(g.len());
        let mut up = vec![f64::NAN; g.len()];
        ascent.write(0, &w[..cut], &g[..cut], &mut up[..cut]);
        ascent.write(cut, &w[cut..], &g[cut..], &mut up[cut..]);
        for i in 0..g.len() {
            prop_assert_eq!(up[i].to_bits(), (w[i] + ascent.eps(i, w[i], g[i])).to_bits());
        }
    }
}

#[test]
fn nothing_to_ascend_along_means_nothing_moves() {
    let w = [1.0, -0.0, 0.0];
    for norm in [Norm::L1, Norm::L2, Norm::LInf, Norm::from_p(3.0).unwrap()] {
        for (rho, g) in [(0.05, [0.0, -0.0, 0.0]), (0.0, [1.0, 2.0, -3.0])] {
            let rule = Rule::new(rho, norm);
            let mut up = [f64::NAN; 3];
            Ascent::new(&rule, &dual_norm(&rule, &w, &g)).write(0, &w, &g, &mut up);
            assert_eq!(up.map(f64::to_bits), w.map(f64::to_bits));
        }
    }
}

#[test]
fn exponents_below_one_are_refused() {
    for p in [0.999, 0.0, -2.0, f64::NAN, f64::NEG_INFINITY] {
        let error = Norm::from_p(p).unwrap_err();
        assert!(error.to_string().contains(&format!("found {p}")), "{error}");
    }
    for (p, q) in [(1.0, f64::INFINITY), (1.5, 3.0), (2.0, 2.0), (3.0, 1.5), (f64::INFINITY, 1.0)] {
        let norm = Norm::from_p(p).unwrap();
        assert_eq!((norm.p(), norm.q()), (p, q));
    }
}

/// Found by fuzzing: the length of an adaptive step beyond the largest `f32`, times the sign 0.
#[test]
fn a_zero_entry_stays_where_it_is_however_long_the_step() {
    let rule = Rule::linf(5e25_f32).adaptive(5e25);
    let (w, g) = ([69.25, 1.0], [0.0, 1.0]);
    let ascent = Ascent::new(&rule, &dual_norm(&rule, &w, &g));
    let mut up = [0.0; 2];
    ascent.write(0, &w, &g, &mut up);
    assert_eq!(up, [69.25, f32::INFINITY]);
    assert_eq!(ascent.eps(0, w[0], g[0]), 0.0);
}

/// Found by fuzzing: one over `|w| + eta` is more than the largest `f64`.
#[test]
fn a_subnormal_scale_does_not_overflow() {
    for eta in [1e-309, 1.5e-312, 5e-324_f64] {
        let rule = Rule::l2(0.05).adaptive(eta);
        let (w, g) = ([0.0, 0.0], [-30.0, 40.0]);
        let ascent = Ascent::new(&rule, &dual_norm(&rule, &w, &g));
        let eps = [0, 1].map(|i| ascent.eps(i, w[i], g[i]));
        for (eps, share) in eps.iter().zip([-0.6, 0.8]) {
            // Half a unit of the last subnormal digit for each rounding.
            assert!((eps - 0.05 * share * eta).abs() <= 1e-12 * eta + 1e-323, "{eta}: {eps}");
        }
    }
}
