//! Quotients of dot products, for vectors of very different sizes.

use proptest::prelude::*;
use sam_core::formula::{projection, ratio};

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

proptest! {
    #[test]
    fn quotients_survive_where_products_do_not(
        pairs in prop::collection::vec((-1.0..1.0f64, -1.0..1.0f64), 1..2000), i in -250..250i32, apart in -50..50i32,
    ) {
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        prop_assume!(dot(&b, &b) > 0.0 && dot(&a, &a) > 0.0);
        let by = |v: &[f64], decade: i32| v.iter().map(|x| x * 10f64.powi(decade)).collect::<Vec<_>>();
        let (big_a, big_b) = (by(&a, i), by(&b, i + apart));
        let size = 10f64.powi(-apart);
        let lengths = (dot(&a, &a) / dot(&b, &b)).sqrt();
        let along = dot(&a, &b) / dot(&b, &b);
        prop_assert!((projection(&big_a, &big_b) / size - along).abs() <= 1e-12 * lengths);
        prop_assert!((ratio(&big_a, &big_b) / size - lengths).abs() <= 1e-12 * lengths);
    }
}

#[test]
fn zero_and_non_finite_vectors() {
    let (some, zero) = ([1.0, -2.0], [0.0, 0.0]);
    assert_eq!((projection(&some, &zero), projection(&zero, &some)), (0.0, 0.0));
    assert_eq!((ratio(&some, &zero), ratio(&zero, &some)), (0.0, 0.0));
    for bad in [[f64::NAN, 1.0], [1.0, f64::INFINITY]] {
        assert!(projection(&some, &bad).is_nan() && projection(&bad, &some).is_nan());
    }
}
