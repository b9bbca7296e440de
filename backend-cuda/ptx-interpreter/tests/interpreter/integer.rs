//! Integer arithmetic against Rust's.

use crate::bench::{check, inputs};
use proptest::prelude::*;

/// Checks the instructions of one type.
macro_rules! integers {
    ($test:ident, $t:ty, $u:ty, $wide:ty, $suffix:literal, $register:literal) => {
        #[allow(clippy::unnecessary_cast, reason = "one text for all widths")]
        #[test]
        fn $test() {
            const BITS: u32 = <$t>::BITS;
            let of = |f: fn($t, $t, $t) -> $t| move |[a, b, c]: [u64; 3]| f(a as $t, b as $t, c as $t) as $u as u64;
            let two = |name: &str| format!("{name}.{0} %{1}o, %{1}a, %{1}b;", $suffix, $register);
            let three = |name: &str| format!("{name}.{0} %{1}o, %{1}a, %{1}b, %{1}c;", $suffix, $register);
            let one = |name: &str| format!("{name}.{0} %{1}o, %{1}a;", $suffix, $register);
            proptest!(ProptestConfig::with_cases(4), |(inputs in inputs())| {
                check(&two("add"), BITS, &inputs, of(|a, b, _| a.wrapping_add(b)));
                check(&two("sub"), BITS, &inputs, of(|a, b, _| a.wrapping_sub(b)));
                check(&two("mul.lo"), BITS, &inputs, of(|a, b, _| a.wrapping_mul(b)));
                check(&two("mul.hi"), BITS, &inputs, of(|a, b, _| ((a as i128).wrapping_mul(b as i128) >> BITS) as $t));
                check(&three("mad.lo"), BITS, &inputs, of(|a, b, c| a.wrapping_mul(b).wrapping_add(c)));
                check(&three("mad.hi"), BITS, &inputs, of(|a, b, c| (((a as i128).wrapping_mul(b as i128) >> BITS) as $t).wrapping_add(c)));
                check(&two("min"), BITS, &inputs, of(|a, b, _| if b < a { b } else { a }));
                check(&two("max"), BITS, &inputs, of(|a, b, _| if b > a { b } else { a }));
                check(&three("sad"), BITS, &inputs, of(|a, b, c| (a.abs_diff(b) as $t).wrapping_add(c)));
                let nonzero: Vec<[u64; 3]> = inputs.iter().copied().filter(|i| i[1] as $t != 0).collect();
                check(&two("div"), BITS, &nonzero, of(|a, b, _| a.wrapping_div(b)));
                check(&two("rem"), BITS, &nonzero, of(|a, b, _| a.wrapping_rem(b)));
                if <$t>::MIN != 0 {
                    check(&one("neg"), BITS, &inputs, of(|a, _, _| (0 as $t).wrapping_sub(a)));
                    check(&one("abs"), BITS, &inputs, of(|a, _, _| a.abs_diff(0) as $t));
                }
                let shift = format!("and.b32 %t3, %rb, 127; shr.{0} %{1}o, %{1}a, %t3;", $suffix, $register);
                check(&shift, BITS, &inputs, |[a, b, _]| ((a as $t as i128) >> (b & 127).min(127)) as $u as u64);
                let shift = format!("and.b32 %t3, %rb, 127; shl.b{BITS} %{0}o, %{0}a, %t3;", $register);
                check(&shift, BITS, &inputs, |[a, b, _]| (a as $t).checked_shl(b as u32 & 127).unwrap_or(0) as $u as u64);
                if BITS < 64 {
                    let out = if BITS == 16 { "%ro" } else { "%do" };
                    let add = if BITS == 16 { "%rc" } else { "%dc" };
                    let body = format!("mul.wide.{0} {out}, %{1}a, %{1}b;", $suffix, $register);
                    let low = |value: i128| if BITS == 16 { value as u32 as u64 } else { value as u64 };
                    check(&body, 2 * BITS, &inputs, |[a, b, _]| low(a as $t as i128 * b as $t as i128));
                    let body = format!("mad.wide.{0} {out}, %{1}a, %{1}b, {add};", $suffix, $register);
                    check(&body, 2 * BITS, &inputs, |[a, b, c]| {
                        low((a as $t as i128 * b as $t as i128).wrapping_add(c as $wide as i128))
                    });
                }
                for (name, holds) in [
                    ("eq", (|a, b| a == b) as fn($t, $t) -> bool), ("ne", |a, b| a != b), ("lt", |a, b| a < b),
                    ("le", |a, b| a <= b), ("gt", |a, b| a > b), ("ge", |a, b| a >= b),
                ] {
                    let body = format!("setp.{name}.{0} %p1, %{1}a, %{1}b; selp.b32 %ro, 1, 0, %p1;", $suffix, $register);
                    check(&body, 32, &inputs, |[a, b, _]| u64::from(holds(a as $t, b as $t)));
                }
            });
        }
    };
}

integers!(unsigned_16, u16, u16, u32, "u16", "h");
integers!(signed_16, i16, u16, i32, "s16", "h");
integers!(unsigned_32, u32, u32, u64, "u32", "r");
integers!(signed_32, i32, u32, i64, "s32", "r");
integers!(unsigned_64, u64, u64, u128, "u64", "d");
integers!(signed_64, i64, u64, i128, "s64", "d");

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn carries_chain_to_sums_of_any_length(inputs in inputs()) {
        // 128-bit numbers from 32-bit pieces: (b:a) + (a:c), low and high half.
        let pieces = "mov.b64 {%t1, %t2}, %da; mov.b64 {%t3, %t4}, %db; mov.b64 {%t5, %t6}, %dc;";
        let add = "add.cc.u32 %t5, %t1, %t5; addc.cc.u32 %t6, %t2, %t6; addc.cc.u32 %t1, %t3, %t1; addc.u32 %t2, %t4, %t2;";
        let sub = "sub.cc.u32 %t5, %t1, %t5; subc.cc.u32 %t6, %t2, %t6; subc.cc.u32 %t1, %t3, %t1; subc.u32 %t2, %t4, %t2;";
        let wide = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        let high = "mov.b64 %do, {%t1, %t2};";
        let low = "mov.b64 %do, {%t5, %t6};";
        for (half, shift) in [(low, 0), (high, 64)] {
            check(&format!("{pieces}{add}{half}"), 64, &inputs, |[a, b, c]| (wide(b, a).wrapping_add(wide(a, c)) >> shift) as u64);
            check(&format!("{pieces}{sub}{half}"), 64, &inputs, |[a, b, c]| (wide(b, a).wrapping_sub(wide(a, c)) >> shift) as u64);
        }
    }

    #[test]
    fn products_with_carries_give_the_full_product(inputs in inputs()) {
        // (a·b + c) of 32-bit numbers, 64 bits of it.
        let body = "mad.lo.cc.u32 %t1, %ra, %rb, %rc; madc.hi.u32 %t2, %ra, %rb, 0; mov.b64 %do, {%t1, %t2};";
        check(body, 64, &inputs, |[a, b, c]| u64::from(a as u32) * u64::from(b as u32) + u64::from(c as u32));
        let body = "mad.lo.cc.s32 %t1, %ra, %rb, %rc; madc.hi.s32 %t2, %ra, %rb, 0; mov.b64 %do, {%t1, %t2};";
        check(body, 64, &inputs, |[a, b, c]| (i64::from(a as i32) * i64::from(b as i32)).wrapping_add(i64::from(c as u32)) as u64);
    }

    #[test]
    fn saturating_sums(inputs in inputs()) {
        check("add.sat.s32 %ro, %ra, %rb;", 32, &inputs, |[a, b, _]| (a as i32).saturating_add(b as i32) as u32 as u64);
        check("sub.sat.s32 %ro, %ra, %rb;", 32, &inputs, |[a, b, _]| (a as i32).saturating_sub(b as i32) as u32 as u64);
    }
}
