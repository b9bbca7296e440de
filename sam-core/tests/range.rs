//! Equation 2 from the smallest to the largest numbers: nothing is lost where powers and products leave the range of
//! `f64` on the way.

use proptest::prelude::*;
use sam_core::formula::{Ascent, dual_norm, pull_back};
use sam_core::{Norm, Rule, Verdict};

const RHO: f64 = 0.05;

/// `p`, `eta`, weights, gradient, and the perturbation of radius 0.05 by mpmath with 60 digits.
type Row = (f64, Option<f64>, [f64; 2], [f64; 2], [f64; 2]);
#[rustfmt::skip]
const EXACT: [Row; 27] = [
    (1.5, None, [0.0, 0.0], [1e+300, -1e-300], [0.05, -0.0]),
    (2.0, None, [0.0, 0.0], [1e+300, -1e-300], [0.05, -0.0]),
    (3.0, None, [0.0, 0.0], [1e+300, -1e-300], [0.05, -5e-302]),
    (10.0, None, [0.0, 0.0], [1e+300, -1e-300], [0.05, -1.0772173450159419e-68]),
    (100.0, None, [0.0, 0.0], [1e+300, -1e-300], [0.05, -4.348745013088917e-08]),
    (1000000.0, None, [0.0, 0.0], [1e+300, -1e-300], [0.05, -0.04993097007334398]),
    (1000000000000000.0, None, [0.0, 0.0], [1e+300, -1e-300], [0.05, -0.049999999999930926]),
    (2.0, Some(0.0), [10000000000.0, 1.0], [1e+300, -1e+300], [500000000.0, -5.0000000000000005e-12]),
    (2.0, Some(0.0), [10000000000.0, 1e-10], [1e+300, -1e-300], [500000000.0, -0.0]),
    (2.0, Some(0.01), [10000000000.0, 1.0], [1e+300, -1e+300], [500000000.0005, -5.1004999999948995e-12]),
    (2.0, Some(0.0), [1e-25, 3e-25], [1e-300, -1e-300], [1.58113883008419e-27, -1.4230249470757706e-26]),
    (2.0, Some(0.0), [1e-10, 1e-09], [1e-300, -1e-300], [4.975185951049946e-13, -4.975185951049946e-11]),
    (3.0, Some(0.0), [10000000000.0, 1.0], [1e+300, -1e+300], [499999999.9999999, -4.999999999999999e-07]),
    (3.0, Some(0.0), [10000000000.0, 1e-10], [1e+300, -1e-300], [500000000.0, -5e-322]),
    (3.0, Some(0.01), [10000000000.0, 1.0], [1e+300, -1e+300], [500000000.00049984, -5.075187188663511e-07]),
    (3.0, Some(0.0), [1e-25, 3e-25], [1e-300, -1e-300], [2.722258150555336e-27, -1.414526828424098e-26]),
    (3.0, Some(0.0), [1e-10, 1e-09], [1e-300, -1e-300], [1.5648151072918594e-12, -4.948379856083033e-11]),
    (100.0, Some(0.0), [10000000000.0, 1.0], [1e+300, -1e+300], [499999999.9996038, -0.039624144917664465]),
    (100.0, Some(0.0), [10000000000.0, 1e-10], [1e+300, -1e-300], [500000000.0, -2.731138608842171e-18]),
    (100.0, Some(0.01), [10000000000.0, 1.0], [1e+300, -1e+300], [500000000.0000998, -0.04002440895368808]),
    (100.0, Some(0.0), [1e-25, 3e-25], [1e-300, -1e-300], [4.9307525594667585e-27, -1.4957322928105004e-26]),
    (100.0, Some(0.0), [1e-10, 1e-09], [1e-300, -1e-300], [4.8804981631279535e-12, -4.995341272282675e-11]),
    (1000000.0, Some(0.0), [10000000000.0, 1.0], [1e+300, -1e+300], [500000000.0, -0.04999884871955688]),
    (1000000.0, Some(0.0), [10000000000.0, 1e-10], [1e+300, -1e-300], [500000000.0, -4.992867071784226e-12]),
    (1000000.0, Some(0.01), [10000000000.0, 1.0], [1e+300, -1e+300], [500000000.00049996, -0.05049883770923309]),
    (1000000.0, Some(0.0), [1e-25, 3e-25], [1e-300, -1e-300], [4.9999930685288796e-27, -1.4999995684773652e-26]),
    (1000000.0, Some(0.0), [1e-10, 1e-09], [1e-300, -1e-300], [4.999988010527545e-12, -4.999999523450171e-11]),
];

fn rule(p: f64, eta: Option<f64>) -> Rule<f64> {
    Rule::new(RHO, Norm::from_p(p).expect("a norm")).with_adaptive(eta)
}

fn eps(rule: &Rule<f64>, w: &[f64], g: &[f64]) -> Vec<f64> {
    let ascent = Ascent::new(rule, &dual_norm(rule, w, g));
    w.iter().zip(g).enumerate().map(|(i, (w, g))| ascent.eps(i, *w, *g)).collect()
}

#[test]
fn perturbations_agree_with_sixty_digits() {
    for (p, eta, w, g, expected) in EXACT {
        let rule = rule(p, eta);
        assert_eq!(
            dual_norm(&rule, &w, &g).verdict(),
            Verdict::Finite,
            "p = {p}, eta = {eta:?}, {w:?}, {g:?}"
        );
        for (found, expected) in eps(&rule, &w, &g).iter().zip(expected) {
            let error = (found - expected).abs();
            // The smallest numbers of all have fewer digits.
            assert!(
                error <= 1e-12 * expected.abs() + 1e-323,
                "p = {p}, eta = {eta:?}, w = {w:?}, g = {g:?}: {found:e}, expected {expected:e}"
            );
        }
    }
}

/// The formula in logarithms: of every weight `ln |eps|`, and of the norm.
fn logarithms(p: f64, eta: Option<f64>, w: &[f64], g: &[f64]) -> (f64, Vec<f64>) {
    let t: Vec<f64> = w.iter().map(|w| eta.map_or(0.0, |eta| (w.abs() + eta).ln())).collect();
    let x: Vec<f64> = t.iter().zip(g).map(|(t, g)| t + g.abs().ln()).collect();
    let peak = x.iter().fold(f64::NEG_INFINITY, |m: f64, x| m.max(*x));
    if p == f64::INFINITY {
        let sum: f64 = x.iter().map(|x| (x - peak).exp()).sum();
        return (peak + sum.ln(), t.iter().map(|t| RHO.ln() + t).collect());
    }
    let q = p / (p - 1.0);
    let sum = x.iter().map(|x| (q * (x - peak)).exp()).sum::<f64>().ln();
    let eps = t.iter().zip(&x).map(|(t, x)| RHO.ln() + t + (q - 1.0) * (x - peak) - sum / p);
    (peak + sum / q, eps.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn perturbations_agree_with_logarithms(
        entries in prop::collection::vec((-300.0..300.0f64, any::<bool>(), -100.0..100.0f64), 1..12),
        p in prop_oneof![Just(2.0), Just(f64::INFINITY), 1.1..3.0f64, 3.0..1e7f64],
        eta in prop_oneof![Just(None), Just(Some(0.0)), (-100.0..1.0f64).prop_map(|decade| Some(10f64.powf(decade)))],
    ) {
        let w: Vec<f64> = entries.iter().map(|(_, _, w)| 10f64.powf(*w)).collect();
        let g: Vec<f64> = entries.iter().map(|(g, up, _)| 10f64.powf(*g) * if *up { 1.0 } else { -1.0 }).collect();
        let rule = rule(p, eta);
        let (norm, expected) = logarithms(p, eta, &w, &g);
        let found = dual_norm(&rule, &w, &g);
        prop_assert_eq!(found.verdict(), Verdict::Finite);
        if (-680.0..700.0).contains(&norm) {
            prop_assert!((found.value().ln() - norm).abs() < 1e-11, "norm {:e}, expected exp({norm})", found.value());
        }
        for (i, found) in eps(&rule, &w, &g).iter().enumerate() {
            // What is taken times `t` must itself be a number.
            let t = eta.map_or(1.0, |eta| w[i] + eta).max(1.0).ln();
            let expected = expected[i];
            if (-680.0..700.0).contains(&expected) && expected - t > -680.0 {
                prop_assert!((found.abs().ln() - expected).abs() < 1e-10, "{found:e}, expected exp({expected})");
                prop_assert_eq!(found.signum(), g[i].signum());
            } else if expected < 0.0 {
                prop_assert!(found.abs() < 1e-190, "{found:e}, expected exp({expected})");
            }
        }
    }
}

#[test]
fn entries_without_weight_or_gradient_hold_nothing_up() {
    let rule = rule(2.0, Some(0.0));
    let (w, g) = ([0.0, 1e-25, 1e300, 3e-25], [1e300, 4e-300, 0.0, 1e-300]);
    let found = eps(&rule, &w, &g);
    // Of norm 5e-325, which is no number any more.
    for (found, expected) in found.iter().zip([0.0, RHO * 0.8e-25, 0.0, RHO * 1.8e-25]) {
        assert!((found - expected).abs() <= 1e-12 * expected, "{found:e}, expected {expected:e}");
    }
    let nothing = dual_norm(&rule, &[0.0, 1.0], &[1.0, 0.0]);
    assert_eq!((nothing.verdict(), nothing.value()), (Verdict::Zero, 0.0));
}

#[test]
fn a_bad_entry_is_seen_among_the_largest_and_the_smallest() {
    for p in [1.0, 1.5, 2.0, 3.0, f64::INFINITY] {
        for (w, g) in [
            ([1e10, 1.0], [1e300, f64::NAN]),
            ([1e10, 1.0], [1e300, f64::INFINITY]),
            ([1e-25, 1e-25], [1e-300, f64::NAN]),
            ([f64::INFINITY, 1.0], [1.0, 1.0]),
        ] {
            let rule = rule(p, Some(0.01));
            assert_eq!(dual_norm(&rule, &w, &g).verdict(), Verdict::NonFinite, "p = {p}, {w:?}, {g:?}");
        }
    }
}

/// The perturbation scales with the weights and not with the gradient; so must its derivative.
#[test]
fn the_derivative_scales_however_large_or_small_products_are() {
    let (w, g, h) = ([1.5, -0.7, 0.3], [0.2, 3.0, -1.1], [0.9, -0.4, 2.0]);
    for p in [1.0, 1.5, 2.0, 3.0, f64::INFINITY] {
        let rule = rule(p, Some(0.0));
        let pull = |c: i32, d: i32| {
            let (w, g) = (w.map(|w| w * 2f64.powi(c)), g.map(|g| g * 2f64.powi(d)));
            let (mut h, mut v) = (h, [0.0; 3]);
            pull_back(&rule, &dual_norm(&rule, &w, &g), &w, &g, &mut h, &mut v);
            (h, v.map(|v| v * 2f64.powi(d - c)))
        };
        let (expected_h, expected_v) = pull(0, 0);
        for (c, d) in [(60, 990), (-60, -990), (30, -100)] {
            let (h, v) = pull(c, d);
            for (found, expected) in h.iter().zip(expected_h).chain(v.iter().zip(expected_v)) {
                let error = (found - expected).abs();
                assert!(
                    error <= 1e-12 * expected.abs(),
                    "p = {p}, 2^{c}, 2^{d}: {found:e}, expected {expected:e}"
                );
            }
        }
    }
}

/// What vanishes beside the norm need not vanish in the perturbation: `rho` may be larger than what was lost.
#[test]
fn a_large_radius_leaves_nothing_out_that_its_type_can_hold() {
    let in_f32 = |rho: f32, eta: Option<f32>, g: [f32; 2]| {
        let rule = Rule::l2(rho).with_adaptive(eta);
        let ascent = Ascent::new(&rule, &dual_norm(&rule, &[0.0, 0.0], &g));
        [0, 1].map(|i| ascent.eps(i, 0.0, g[i]))
    };
    for (rho, g) in [
        (5.0e25, [1.0e20, -1.0e-28]),
        (3.0e38, [1.0e38, 1.0e-38]),
        (1.0e10, [1.0e-10, 1.0e-45]),
        (8.0, [1.0e38, 1.0e-44]),
    ] {
        let expected = (f64::from(g[1]) * f64::from(rho) / f64::from(g[0])) as f32;
        for eta in [None, Some(1.0)] {
            let [first, second] = in_f32(rho, eta, g);
            assert!((first / rho - 1.0).abs() < 1e-6, "{first} instead of {rho}");
            assert!(
                (second - expected).abs() <= 1e-6 * expected.abs(),
                "{second} instead of {expected}, rho {rho}"
            );
        }
    }
    for (rho, g, expected) in [
        (1e100, [1e200, -1e-150], -1e-250),
        (1e300, [1e300, 1e-300], 1e-300),
        (1e20, [1e-20, 5e-324], 5e-284),
    ] {
        let rule = Rule::l2(rho);
        let [first, second] = [0, 1].map(|i| eps(&rule, &[0.0, 0.0], &g)[i]);
        assert!((first / rho - 1.0).abs() < 1e-14, "{first} instead of {rho}");
        // A subnormal gradient has few digits.
        assert!((second / expected - 1.0).abs() < 0.02, "{second} instead of {expected}, rho {rho}");
    }
}
