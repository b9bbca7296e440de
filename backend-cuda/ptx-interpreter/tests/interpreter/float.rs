//! Single and double precision, round to nearest, against Rust's arithmetic.

use crate::bench::{check, evaluate, inputs};
use proptest::prelude::*;

fn single(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}

fn double(bits: u64) -> f64 {
    f64::from_bits(bits)
}

/// Bits of a single; all that are no numbers are one, as the device has it.
fn out(x: f32) -> u64 {
    if x.is_nan() { 0x7fff_ffff } else { x.to_bits().into() }
}

/// Zero in the place of a subnormal.
fn flushed(x: f32) -> f32 {
    if x.is_subnormal() { 0f32.copysign(x) } else { x }
}

/// The manual's minimum: a number before what is none, -0 before +0.
fn least(a: f32, b: f32) -> f32 {
    match (a.is_nan(), b.is_nan()) {
        (true, _) => b,
        (_, true) => a,
        _ if a == 0.0 && b == 0.0 => {
            if a.is_sign_negative() {
                a
            } else {
                b
            }
        }
        _ => {
            if a < b {
                a
            } else {
                b
            }
        }
    }
}

fn greatest(a: f32, b: f32) -> f32 {
    -least(-a, -b)
}

/// Whether two doubles are the same or both are no numbers.
fn same(found: u64, expected: f64) -> bool {
    found == expected.to_bits() || (expected.is_nan() && double(found).is_nan())
}

fn check_double(body: &str, inputs: &[[u64; 3]], expected: impl Fn(f64, f64, f64) -> f64) {
    for (&[a, b, c], found) in inputs.iter().zip(evaluate(body, 64, inputs)) {
        let wanted = expected(double(a), double(b), double(c));
        assert!(same(found, wanted), "{body}: of {a:x}, {b:x}, {c:x} found {found:x}, expected {wanted:e}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn single_precision(inputs in inputs()) {
        let two = |f: fn(f32, f32) -> f32| move |[a, b, _]: [u64; 3]| out(f(single(a), single(b)));
        check("add.f32 %ro, %ra, %rb;", 32, &inputs, two(|a, b| a + b));
        check("add.rn.f32 %ro, %ra, %rb;", 32, &inputs, two(|a, b| a + b));
        check("sub.f32 %ro, %ra, %rb;", 32, &inputs, two(|a, b| a - b));
        check("mul.f32 %ro, %ra, %rb;", 32, &inputs, two(|a, b| a * b));
        check("div.rn.f32 %ro, %ra, %rb;", 32, &inputs, two(|a, b| a / b));
        check("min.f32 %ro, %ra, %rb;", 32, &inputs, two(least));
        check("max.f32 %ro, %ra, %rb;", 32, &inputs, two(greatest));
        check("max.NaN.f32 %ro, %ra, %rb;", 32, &inputs, two(|a, b| if a.is_nan() || b.is_nan() { f32::NAN } else { greatest(a, b) }));
        check("fma.rn.f32 %ro, %ra, %rb, %rc;", 32, &inputs, |[a, b, c]| out(single(a).mul_add(single(b), single(c))));
        check("sqrt.rn.f32 %ro, %ra;", 32, &inputs, |[a, ..]| out(single(a).sqrt()));
        check("rcp.rn.f32 %ro, %ra;", 32, &inputs, |[a, ..]| out(1.0 / single(a)));
        check("neg.f32 %ro, %ra;", 32, &inputs, |[a, ..]| (a ^ 0x8000_0000) & 0xffff_ffff);
        check("abs.f32 %ro, %ra;", 32, &inputs, |[a, ..]| a & 0x7fff_ffff);
        check("copysign.f32 %ro, %ra, %rb;", 32, &inputs, |[a, b, _]| a & 0x8000_0000 | b & 0x7fff_ffff);
    }

    #[test]
    fn flushing_subnormals(inputs in inputs()) {
        let two = |f: fn(f32, f32) -> f32| {
            move |[a, b, _]: [u64; 3]| out(flushed(f(flushed(single(a)), flushed(single(b)))))
        };
        check("add.ftz.f32 %ro, %ra, %rb;", 32, &inputs, two(|a, b| a + b));
        check("mul.rn.ftz.f32 %ro, %ra, %rb;", 32, &inputs, two(|a, b| a * b));
        check("mul.ftz.sat.f32 %ro, %ra, %rb;", 32, &inputs, two(|a, b| {
            let x = a * b;
            if x.is_nan() { 0.0 } else { x.clamp(0.0, 1.0) + 0.0 }
        }));
        check("add.sat.f32 %ro, %ra, %rb;", 32, &inputs, |[a, b, _]| {
            let x = single(a) + single(b);
            out(if x > 0.0 { x.min(1.0) } else { 0.0 })
        });
        let less = "setp.lt.ftz.f32 %p1, %ra, %rb; selp.b32 %ro, 1, 0, %p1;";
        check(less, 32, &inputs, |[a, b, _]| u64::from(flushed(single(a)) < flushed(single(b))));
    }

    #[test]
    fn comparisons(inputs in inputs()) {
        let cases: [(&str, fn(f32, f32) -> bool); 14] = [
            ("eq", |a, b| a == b), ("ne", |a, b| a != b && !a.is_nan() && !b.is_nan()),
            ("lt", |a, b| a < b), ("le", |a, b| a <= b), ("gt", |a, b| a > b), ("ge", |a, b| a >= b),
            ("equ", |a, b| a == b || a.is_nan() || b.is_nan()), ("neu", |a, b| a != b),
            ("ltu", |a, b| a < b || a.is_nan() || b.is_nan()), ("leu", |a, b| a <= b || a.is_nan() || b.is_nan()),
            ("gtu", |a, b| a > b || a.is_nan() || b.is_nan()), ("geu", |a, b| a >= b || a.is_nan() || b.is_nan()),
            ("num", |a, b| !a.is_nan() && !b.is_nan()), ("nan", |a, b| a.is_nan() || b.is_nan()),
        ];
        for (name, holds) in cases {
            let body = format!("setp.{name}.f32 %p1, %ra, %rb; selp.b32 %ro, 1, 0, %p1;");
            check(&body, 32, &inputs, |[a, b, _]| u64::from(holds(single(a), single(b))));
            // The same of doubles that are exactly these singles.
            let body = format!("cvt.f64.f32 %da, %ra; cvt.f64.f32 %db, %rb; setp.{name}.f64 %p1, %da, %db; selp.b32 %ro, 1, 0, %p1;");
            check(&body, 32, &inputs, |[a, b, _]| u64::from(holds(single(a), single(b))));
        }
        // Both results, and a third predicate.
        let body = "setp.lt.u32 %p3, %rb, %rc; setp.lt.and.f32 %p1|%p2, %ra, %rb, !%p3; selp.b32 %ro, 1, 0, %p1; @%p2 add.u32 %ro, %ro, 2;";
        check(body, 32, &inputs, |[a, b, c]| {
            let (less, third) = (single(a) < single(b), (b as u32) >= c as u32);
            u64::from(less && third) + 2 * u64::from(!less && third)
        });
        check("set.gt.f32.f32 %ro, %ra, %rb;", 32, &inputs, |[a, b, _]| if single(a) > single(b) { 0x3f80_0000 } else { 0 });
        check("set.le.u32.f32 %ro, %ra, %rb;", 32, &inputs, |[a, b, _]| if single(a) <= single(b) { 0xffff_ffff } else { 0 });
    }

    #[test]
    fn double_precision(inputs in inputs()) {
        check_double("add.f64 %do, %da, %db;", &inputs, |a, b, _| a + b);
        check_double("sub.rn.f64 %do, %da, %db;", &inputs, |a, b, _| a - b);
        check_double("mul.f64 %do, %da, %db;", &inputs, |a, b, _| a * b);
        check_double("div.rn.f64 %do, %da, %db;", &inputs, |a, b, _| a / b);
        check_double("fma.rn.f64 %do, %da, %db, %dc;", &inputs, |a, b, c| a.mul_add(b, c));
        check_double("sqrt.rn.f64 %do, %da;", &inputs, |a, _, _| a.sqrt());
        check_double("rcp.rn.f64 %do, %da;", &inputs, |a, _, _| 1.0 / a);
        check_double("min.f64 %do, %da, %db;", &inputs, |a, b, _| if a.is_nan() { b } else if b.is_nan() || a < b || (a == b && a.is_sign_negative()) { a } else { b });
        check_double("neg.f64 %do, %da;", &inputs, |a, _, _| -a);
        check_double("abs.f64 %do, %da;", &inputs, |a, _, _| a.abs());
    }

    #[test]
    fn approximations_are_as_close_as_the_manual_says(values in proptest::collection::vec(0.001f32..80.0, 64)) {
        let inputs: Vec<[u64; 3]> = values.iter().map(|v| [u64::from(v.to_bits()), 0, 0]).collect();
        let relative: [(&str, fn(f64) -> f64, f64); 6] = [
            ("rcp.approx.ftz.f32", |x| 1.0 / x, 1.0), ("rsqrt.approx.f32", |x| 1.0 / x.sqrt(), 2.0),
            ("sqrt.approx.f32", f64::sqrt, 1.0), ("ex2.approx.ftz.f32", f64::exp2, 2.0),
            ("tanh.approx.f32", f64::tanh, 4096.0), ("sqrt.rn.ftz.f32", f64::sqrt, 0.5001),
        ];
        for (name, f, ulps) in relative {
            for (value, found) in values.iter().zip(evaluate(&format!("{name} %ro, %ra;"), 32, &inputs)) {
                let exact = f(f64::from(*value));
                let error = (f64::from(single(found)) - exact).abs() / exact;
                prop_assert!(error <= ulps * 2f64.powi(-23), "{name} of {value}: {error:e}");
            }
        }
        let absolute: [(&str, fn(f64) -> f64); 3] = [("sin.approx.f32", f64::sin), ("cos.approx.ftz.f32", f64::cos), ("lg2.approx.f32", f64::log2)];
        for (name, f) in absolute {
            for (value, found) in values.iter().zip(evaluate(&format!("{name} %ro, %ra;"), 32, &inputs)) {
                let exact = f(f64::from(*value));
                let allowed = 2f64.powf(-20.5) + 2f64.powi(-22) * exact.abs();
                prop_assert!((f64::from(single(found)) - exact).abs() <= allowed, "{name} of {value}");
            }
        }
        for (value, found) in values.iter().zip(evaluate("cvt.f64.f32 %da, %ra; rcp.approx.ftz.f64 %do, %da;", 64, &inputs)) {
            let exact = 1.0 / f64::from(*value);
            prop_assert!((double(found) - exact).abs() <= exact * 2f64.powi(-19) && found & 0xffff_ffff == 0);
        }
    }
}
