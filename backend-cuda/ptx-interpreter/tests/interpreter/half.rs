//! Half precision and bfloat16 against the `half` crate.

use crate::bench::{check, evaluate, inputs};
use half::{bf16, f16};
use proptest::prelude::*;

/// Bits of a result; all that are no numbers are one.
macro_rules! out {
    ($x:expr) => {{
        let x = $x;
        if x.is_nan() { 0x7fff } else { u64::from(x.to_bits()) }
    }};
}

/// The nearest number, ties to even. `half` itself drops the last 32 bits of a double before it rounds, and so takes
/// numbers just beyond the middle for ties: of its answer and the two beside it this is the right one.
macro_rules! nearest {
    ($t:ty, $x:expr) => {{
        let x: f64 = $x;
        let near = <$t>::from_f64(x);
        let bits = near.to_bits();
        let beside = [bits.wrapping_sub(1), bits, bits.wrapping_add(1)].map(<$t>::from_bits);
        let finite = |y: &$t| y.is_finite() && y.is_sign_negative() == near.is_sign_negative();
        let distance = |y: &$t| (y.to_f64() - x).abs();
        let best = beside.into_iter().filter(finite).min_by(|a, b| {
            distance(a).total_cmp(&distance(b)).then((a.to_bits() & 1).cmp(&(b.to_bits() & 1)))
        });
        if near.is_finite() { best.unwrap_or(near) } else { near }
    }};
}

/// Sums and products of two such numbers are exact in double precision, so that they are rounded once.
macro_rules! arithmetic {
    ($t:ty, $name:literal, $inputs:expr) => {
        let of = |bits: u64| <$t>::from_bits(bits as u16).to_f64();
        let body = |operation: &str| format!("{operation}.{} %ho, %ha, %hb;", $name);
        check(&body("add.rn"), 16, $inputs, |[a, b, _]| out!(nearest!($t, of(a) + of(b))));
        check(&body("sub"), 16, $inputs, |[a, b, _]| out!(nearest!($t, of(a) - of(b))));
        check(&body("mul"), 16, $inputs, |[a, b, _]| out!(nearest!($t, of(a) * of(b))));
        check(&body("min"), 16, $inputs, |[a, b, _]| {
            let (x, y) = (of(a), of(b));
            out!(nearest!(
                $t,
                if x.is_nan() {
                    y
                } else if y.is_nan() || x < y || x == y && x.is_sign_negative() {
                    x
                } else {
                    y
                }
            ))
        });
        check(&format!("neg.{} %ho, %ha;", $name), 16, $inputs, |[a, ..]| (a ^ 0x8000) & 0xffff);
        let less = format!("setp.lt.{} %p1, %ha, %hb; selp.b32 %ro, 1, 0, %p1;", $name);
        check(&less, 32, $inputs, |[a, b, _]| u64::from(of(a) < of(b)));
        // Both halves of a register at once give what they give alone.
        let pair = format!("add.rn.{}x2 %ro, %ra, %rb;", $name);
        check(&pair, 32, $inputs, |[a, b, _]| {
            out!(nearest!($t, of(a >> 16) + of(b >> 16))) << 16 | out!(nearest!($t, of(a) + of(b)))
        });
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn arithmetic(inputs in inputs()) {
        arithmetic!(f16, "f16", &inputs);
        arithmetic!(bf16, "bf16", &inputs);
    }

    #[test]
    fn fused_products_are_rounded_once(inputs in inputs()) {
        // 11 and 11 digits make 22, and the exponents differ by less than 60: exact in double precision but for sums of
        // very different size, where rounding twice could differ; those are told by the error of the sum.
        for ([a, b, c], found) in inputs.iter().zip(evaluate("fma.rn.f16 %ho, %ha, %hb, %hc;", 16, &inputs)) {
            let of = |bits: &u64| f16::from_bits(*bits as u16).to_f64();
            let product = of(a) * of(b);
            let sum = product + of(c);
            if sum - product == of(c) && sum - of(c) == product || !sum.is_finite() {
                prop_assert_eq!(found, out!(nearest!(f16, sum)));
            }
        }
    }

    #[test]
    fn conversions(inputs in inputs()) {
        check("cvt.f32.f16 %ro, %ha;", 32, &inputs, |[a, ..]| {
            let x = f16::from_bits(a as u16).to_f32();
            if x.is_nan() { 0x7fff_ffff } else { u64::from(x.to_bits()) }
        });
        let single = |bits: u64| f32::from_bits(bits as u32);
        check("cvt.rn.f16.f32 %ho, %ra;", 16, &inputs, |[a, ..]| out!(f16::from_f32(single(a))));
        check("cvt.rn.bf16.f32 %ho, %ra;", 16, &inputs, |[a, ..]| out!(bf16::from_f32(single(a))));
        check("cvt.rn.f16.f64 %ho, %da;", 16, &inputs, |[a, ..]| out!(nearest!(f16, f64::from_bits(a))));
        // The first source is the upper half.
        check("cvt.rn.bf16x2.f32 %ro, %ra, %rb;", 32, &inputs, |[a, b, _]| {
            out!(bf16::from_f32(single(a))) << 16 | out!(bf16::from_f32(single(b)))
        });
        check("cvt.rn.f16x2.f32 %ro, %ra, %rb;", 32, &inputs, |[a, b, _]| {
            out!(f16::from_f32(single(a))) << 16 | out!(f16::from_f32(single(b)))
        });
        check("cvt.rn.relu.bf16.f32 %ho, %ra;", 16, &inputs, |[a, ..]| {
            let x = bf16::from_f32(single(a));
            if x.is_nan() { 0x7fff } else if x.is_sign_negative() { 0 } else { u64::from(x.to_bits()) }
        });
        // Toward zero: the upper half of the bits, for what is a number.
        check("cvt.rz.bf16.f32 %ho, %ra;", 16, &inputs, |[a, ..]| if single(a).is_nan() { 0x7fff } else { a >> 16 & 0xffff });
    }
}

/// Just beyond the middle of two halves by a bit that `half` drops.
#[test]
fn sums_beyond_a_tie_are_rounded_up() {
    check("add.rn.f16 %ho, %ha, %hb;", 16, &[[0x0801, 0x35ea, 0]], |_| 0x35eb);
}
