//! Directed roundings: the result is the neighbour of the exact value on the right side.

use crate::bench::{bits, evaluate};
use proptest::prelude::*;

/// An exact real number as an unevaluated sum of doubles, `head` the nearest double to it.
#[derive(Clone, Copy, Debug)]
struct Real {
    head: f64,
    tail: f64,
}

/// `a + b` of doubles, exactly (Knuth's two-sum).
fn sum(a: f64, b: f64) -> Real {
    let head = a + b;
    let virtual_b = head - a;
    Real { head, tail: (a - (head - virtual_b)) + (b - virtual_b) }
}

/// Which side of the real number `x` is on.
fn side(x: f64, real: Real) -> f64 {
    let difference = x - real.head;
    if difference == 0.0 { -real.tail } else { difference }
}

/// Checks that `found` is the single next to `exact` in the direction of `mode`.
fn neighbour(mode: &str, found: f32, exact: Real) -> bool {
    let toward_zero = if exact.head > 0.0 { "rm" } else { "rp" };
    let mode = if mode == "rz" { toward_zero } else { mode };
    if mode == "rm" {
        side(f64::from(found), exact) <= 0.0
            && (found == f32::MAX || side(f64::from(found.next_up()), exact) > 0.0)
    } else {
        side(f64::from(found), exact) >= 0.0
            && (found == f32::MIN || side(f64::from(found.next_down()), exact) < 0.0)
    }
}

fn finite() -> impl Strategy<Value = f32> {
    prop_oneof![
        bits().prop_map(|b| f32::from_bits(b as u32)).prop_filter("finite", |x| x.is_finite()),
        -4f32..4.0,
        Just(f32::MAX),
        Just(f32::MIN_POSITIVE),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn single_precision(values in proptest::collection::vec([finite(), finite(), finite()], 32)) {
        let inputs: Vec<[u64; 3]> = values.iter().map(|v| v.map(|x| u64::from(x.to_bits()))).collect();
        for mode in ["rz", "rm", "rp"] {
            let operations: [(&str, fn([f64; 3]) -> Option<Real>); 4] = [
                ("add.MODE.f32 %ro, %ra, %rb;", |[a, b, _]| Some(sum(a, b))),
                ("sub.MODE.f32 %ro, %ra, %rb;", |[a, b, _]| Some(sum(a, -b))),
                // Products of singles are exact in double precision, but for the tiniest.
                ("mul.MODE.f32 %ro, %ra, %rb;", |[a, b, _]| Some(Real { head: a * b, tail: 0.0 })),
                ("fma.MODE.f32 %ro, %ra, %rb, %rc;", |[a, b, c]| Some(sum(a * b, c))),
            ];
            for (body, exact) in operations {
                for (value, found) in values.iter().zip(evaluate(&body.replace("MODE", mode), 32, &inputs)) {
                    let exact = exact(value.map(f64::from)).unwrap();
                    let found = f32::from_bits(found as u32);
                    // Zeros have their sign from other rules.
                    if exact.head != 0.0 {
                        prop_assert!(neighbour(mode, found, exact), "{body} {mode} of {value:?}: {found:e}, exact {exact:?}");
                    } else {
                        prop_assert_eq!(found, 0.0);
                    }
                }
            }
        }
    }

    #[test]
    fn quotients_and_roots_multiply_back(values in proptest::collection::vec((0.001f32..1e6, 0.001f32..1e6), 32)) {
        let inputs: Vec<[u64; 3]> = values.iter().map(|v| [u64::from(v.0.to_bits()), u64::from(v.1.to_bits()), 0]).collect();
        for (mode, up) in [("rm", false), ("rz", false), ("rp", true)] {
            for (&(a, b), found) in values.iter().zip(evaluate(&format!("div.{mode}.f32 %ro, %ra, %rb;"), 32, &inputs)) {
                // q is below a / b exactly if q·b, exact in double precision, is below a.
                let below = |q: f32| f64::from(q) * f64::from(b) - f64::from(a);
                let q = f32::from_bits(found as u32);
                let (right, beyond) = if up { (below(q) >= 0.0, below(q.next_down()) < 0.0) } else { (below(q) <= 0.0, below(q.next_up()) > 0.0) };
                prop_assert!(right && beyond, "{a} / {b} {mode}: {q}");
            }
            for (&(a, _), found) in values.iter().zip(evaluate(&format!("sqrt.{mode}.f32 %ro, %ra;"), 32, &inputs)) {
                let below = |q: f32| f64::from(q) * f64::from(q) - f64::from(a);
                let q = f32::from_bits(found as u32);
                let (right, beyond) = if up { (below(q) >= 0.0, below(q.next_down()) < 0.0) } else { (below(q) <= 0.0, below(q.next_up()) > 0.0) };
                prop_assert!(right && beyond, "sqrt {a} {mode}: {q}");
            }
        }
    }

    #[test]
    fn double_precision(values in proptest::collection::vec((-1e9f64..1e9, -1e3f64..1e3), 32)) {
        let inputs: Vec<[u64; 3]> = values.iter().map(|v| [v.0.to_bits(), v.1.to_bits(), 0]).collect();
        for mode in ["rm", "rp"] {
            let sign = if mode == "rm" { 1.0 } else { -1.0 };
            let beyond = |x: f64| if mode == "rm" { x.next_up() } else { x.next_down() };
            for (&(a, b), found) in values.iter().zip(evaluate(&format!("add.{mode}.f64 %do, %da, %db;"), 64, &inputs)) {
                let found = f64::from_bits(found);
                let exact = sum(a, b);
                prop_assert!(sign * side(found, exact) <= 0.0 && sign * side(beyond(found), exact) > 0.0);
            }
            for (&(a, b), found) in values.iter().zip(evaluate(&format!("mul.{mode}.f64 %do, %da, %db;"), 64, &inputs)) {
                let found = f64::from_bits(found);
                // fma tells the exact difference of a product and a double near it.
                let above = |x: f64| -a.mul_add(b, -x);
                prop_assert!(sign * above(found) <= 0.0 && sign * above(beyond(found)) > 0.0);
            }
        }
    }

    #[test]
    fn nearest_by_integers_is_nearest_by_the_host(a in bits(), b in bits(), c in bits()) {
        use ptx_interpreter::exact::{F32, F64, Rounding::Nearest, add, decode, divide, encode, multiply, square_root};
        let same = |found: u64, wanted: f64| found == wanted.to_bits() || wanted.is_nan() && f64::from_bits(found).is_nan();
        let (x, y, z) = (f64::from_bits(a), f64::from_bits(b), f64::from_bits(c));
        let [m, n, o] = [a, b, c].map(|bits| decode(bits, F64));
        prop_assert!(same(encode(add(m, n, Nearest), F64, Nearest), x + y));
        prop_assert!(same(encode(multiply(m, n), F64, Nearest), x * y));
        prop_assert!(same(encode(divide(m, n), F64, Nearest), x / y));
        prop_assert!(same(encode(square_root(m), F64, Nearest), x.sqrt()));
        prop_assert!(same(encode(add(multiply(m, n), o, Nearest), F64, Nearest), x.mul_add(y, z)));
        let narrowed = f32::from_bits(encode(m, F32, Nearest) as u32);
        prop_assert!(narrowed.to_bits() == (x as f32).to_bits() || x.is_nan() && narrowed.is_nan());
    }
}
