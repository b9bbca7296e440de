//! Projection onto the p-ball: inside it, idempotent, and nearer than any other point of the ball.

use proptest::prelude::*;
use sam_core::formula::project;
use sam_core::{Norm, Rule};

fn norm(p: f64, v: &[f64]) -> f64 {
    let peak = v.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    if p == f64::INFINITY || peak == 0.0 {
        return peak;
    }
    peak * v.iter().map(|x| (x.abs() / peak).powf(p)).sum::<f64>().powf(1.0 / p)
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    norm(2.0, &a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}

fn exponents() -> impl Strategy<Value = f64> {
    prop_oneof![Just(1.0), Just(2.0), Just(f64::INFINITY), 1.1..2.0f64, 2.0..9.0f64]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_projection_is_the_nearest_point(
        v in prop::collection::vec(-3.0..3.0f64, 1..12), rival in prop::collection::vec(-1.0..1.0f64, 12),
        p in exponents(), rho in (-7.0..0.6f64).prop_map(|x| 10f64.powf(x)), near in 0.0..1.0f64, decade in -100..100i32,
    ) {
        let scale = 10f64.powi(decade);
        let rule = Rule::new(rho * scale, Norm::from_p(p).unwrap());
        let w = vec![0.0; v.len()];
        let v: Vec<f64> = v.iter().map(|v| v * scale).collect();
        let mut x = v.clone();
        project(&rule, &w, &mut x);

        let radius = rule.rho;
        prop_assert!(norm(p, &x) <= radius * (1.0 + 1e-10), "{} outside of {radius}", norm(p, &x));
        if norm(p, &v) <= radius * (1.0 - 1e-12) {
            prop_assert_eq!(&x, &v);
        } else {
            prop_assert!(norm(p, &x) >= radius * (1.0 - 1e-10), "{} inside of {radius}", norm(p, &x));
        }
        let mut again = x.clone();
        project(&rule, &w, &mut again);
        prop_assert!(distance(&again, &x) <= 1e-10 * radius);

        // A rival in the ball, anywhere or close to x.
        let rival: Vec<f64> = x.iter().zip(&rival).map(|(x, r)| near * x + (1.0 - near) * r * scale).collect();
        let size = norm(p, &rival);
        let inside: Vec<f64> = rival.iter().map(|r| if size > radius { r * radius / size } else { *r }).collect();
        prop_assert!(distance(&x, &v) <= distance(&inside, &v) + 1e-10 * radius);
    }

    #[test]
    fn the_adaptive_ball_is_the_plain_one_in_units_of_the_weights(
        v in prop::collection::vec(-3.0..3.0f64, 1..12), p in exponents(), rho in 0.01..4.0f64, eta in 0.01..1.0f64,
    ) {
        let rule = Rule::new(rho, Norm::from_p(p).unwrap());
        let w: Vec<f64> = (0..v.len()).map(|i| (i as f64).sin() * 2.0).collect();
        let t: Vec<f64> = w.iter().map(|w| w.abs() + eta).collect();
        let mut plain = v.clone();
        project(&rule, &w, &mut plain);
        let mut adaptive: Vec<f64> = v.iter().zip(&t).map(|(v, t)| v * t).collect();
        project(&rule.adaptive(eta), &w, &mut adaptive);
        for ((a, b), t) in adaptive.iter().zip(&plain).zip(&t) {
            prop_assert!((a / t - b).abs() <= 1e-10 * rho, "{} {b}", a / t);
        }
    }
}

#[test]
fn a_ball_of_radius_zero_is_a_point() {
    for p in [1.0, 1.5, 2.0, 4.0, f64::INFINITY] {
        let mut eps = [1.0, -2.0, 0.0];
        project(&Rule::new(0.0, Norm::from_p(p).unwrap()), &[1.0; 3], &mut eps);
        assert_eq!(eps, [0.0; 3]);
    }
}

/// Powers of sizes and radius leave the range of `f64` long before the sizes do.
#[test]
fn an_exponent_near_infinity_nearly_clamps() {
    for p in [1e3, 1e6, 1e12] {
        for scale in [1e-250, 1.0, 1e250] {
            for rho in [1.01, 1.5, 1.99] {
                let mut eps = [2.7, -0.3, 1.2, -3.9].map(|e| e * scale);
                let expected = eps.map(|e: f64| e.clamp(-rho * scale, rho * scale));
                project(&Rule::new(rho * scale, Norm::from_p(p).unwrap()), &[1.0; 4], &mut eps);
                for (found, expected) in eps.iter().zip(expected) {
                    assert!(
                        (found - expected).abs() <= 0.01 * rho * scale,
                        "p = {p}, rho = {rho}: {eps:?} / {scale}"
                    );
                }
            }
        }
    }
}
