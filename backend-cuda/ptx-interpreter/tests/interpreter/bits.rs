//! Bit operations against their definitions, written out bit by bit.

use crate::bench::{check, inputs};
use proptest::prelude::*;

/// Bit `i` of a 32-bit or 64-bit value.
fn bit(value: u64, i: u64) -> u64 {
    if i < 64 { value >> i & 1 } else { 0 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn logic(inputs in inputs()) {
        check("and.b32 %ro, %ra, %rb;", 32, &inputs, |[a, b, _]| (a & b) as u32 as u64);
        check("or.b64 %do, %da, %db;", 64, &inputs, |[a, b, _]| a | b);
        check("xor.b16 %ho, %ha, %hb;", 16, &inputs, |[a, b, _]| (a ^ b) as u16 as u64);
        check("not.b16 %ho, %ha;", 16, &inputs, |[a, ..]| !a as u16 as u64);
        check("not.b32 %ro, %ra;", 32, &inputs, |[a, ..]| !a as u32 as u64);
        check("not.b64 %do, %da;", 64, &inputs, |[a, ..]| !a);
        check("cnot.b32 %ro, %ra;", 32, &inputs, |[a, ..]| u64::from(a as u32 == 0));
    }

    #[test]
    fn counts(inputs in inputs()) {
        check("popc.b32 %ro, %ra;", 32, &inputs, |[a, ..]| (0..32).map(|i| bit(a, i)).sum());
        check("popc.b64 %ro, %da;", 32, &inputs, |[a, ..]| (0..64).map(|i| bit(a, i)).sum());
        check("clz.b32 %ro, %ra;", 32, &inputs, |[a, ..]| (0..32).rev().take_while(|&i| bit(a, i) == 0).count() as u64);
        check("clz.b64 %ro, %da;", 32, &inputs, |[a, ..]| (0..64).rev().take_while(|&i| bit(a, i) == 0).count() as u64);
        check("brev.b32 %ro, %ra;", 32, &inputs, |[a, ..]| (0..32).map(|i| bit(a, i) << (31 - i)).sum());
        check("brev.b64 %do, %da;", 64, &inputs, |[a, ..]| (0..64).map(|i| bit(a, i) << (63 - i)).sum());
        let highest = |a: u64, width: u64| (0..width).rev().find(|&i| bit(a, i) == 1).unwrap_or(0xffff_ffff);
        check("bfind.u32 %ro, %ra;", 32, &inputs, |[a, ..]| highest(a, 32));
        check("bfind.u64 %ro, %da;", 32, &inputs, |[a, ..]| highest(a, 64));
        check("bfind.s32 %ro, %ra;", 32, &inputs, |[a, ..]| highest(if (a as i32) < 0 { !a } else { a }, 32));
        check("bfind.shiftamt.u32 %ro, %ra;", 32, &inputs, |[a, ..]| match highest(a, 32) {
            0xffff_ffff => 0xffff_ffff,
            i => 31 - i,
        });
    }

    #[test]
    fn fields(inputs in inputs()) {
        // The manual's definition: bit i of the result is bit pos+i of the source, beyond either end the sign bit.
        let extract = |a: u64, pos: u64, len: u64, width: u64, signed: bool| -> u64 {
            let (pos, len) = (pos & 0xff, len & 0xff);
            let sign = if !signed || len == 0 { 0 } else { bit(a, (pos + len - 1).min(width - 1)) };
            (0..width).map(|i| if i < len && pos + i < width { bit(a, pos + i) << i } else { sign << i }).sum()
        };
        check("bfe.u32 %ro, %ra, %rb, %rc;", 32, &inputs, |[a, b, c]| extract(a, b, c, 32, false));
        check("bfe.s32 %ro, %ra, %rb, %rc;", 32, &inputs, |[a, b, c]| extract(a, b, c, 32, true));
        check("bfe.u64 %do, %da, %rb, %rc;", 64, &inputs, |[a, b, c]| extract(a, b, c, 64, false));
        check("bfe.s64 %do, %da, %rb, %rc;", 64, &inputs, |[a, b, c]| extract(a, b, c, 64, true));
        // Also with a position and a length that fit.
        let fit = "and.b32 %t3, %rb, 31; and.b32 %t4, %rc, 31; bfe.s32 %ro, %ra, %t3, %t4;";
        check(fit, 32, &inputs, |[a, b, c]| extract(a, b & 31, c & 31, 32, true));
        let insert = |a: u64, b: u64, pos: u64, len: u64, width: u64| -> u64 {
            let (pos, len) = (pos & 0xff, len & 0xff);
            (0..width).map(|i| if i >= pos && i - pos < len { bit(a, i - pos) << i } else { bit(b, i) << i }).sum()
        };
        check("bfi.b32 %ro, %ra, %rb, %rc, 8;", 32, &inputs, |[a, b, c]| insert(a, b, c, 8, 32));
        check("bfi.b64 %do, %da, %db, 20, %rc;", 64, &inputs, |[a, b, c]| insert(a, b, 20, c, 64));
    }

    #[test]
    fn permutations(inputs in inputs()) {
        let byte = |a: u64, b: u64, i: u64| ((b << 32 | (a & 0xffff_ffff)) >> (8 * i)) & 0xff;
        check("prmt.b32 %ro, %ra, %rb, %rc;", 32, &inputs, |[a, b, c]| {
            (0..4).map(|i| {
                let choice = c >> (4 * i) & 15;
                let found = byte(a, b, choice & 7);
                let found = if choice < 8 { found } else if found >= 0x80 { 0xff } else { 0 };
                found << (8 * i)
            }).sum()
        });
        check("prmt.b32.f4e %ro, %ra, %rb, %rc;", 32, &inputs, |[a, b, c]| (0..4).map(|i| byte(a, b, (c & 3) + i) << (8 * i)).sum());
        check("prmt.b32.rc8 %ro, %ra, %rb, %rc;", 32, &inputs, |[a, b, c]| (0..4).map(|i| byte(a, b, c & 3) << (8 * i)).sum());
    }

    #[test]
    fn funnel_shifts(inputs in inputs()) {
        let pair = |a: u64, b: u64| u128::from(b as u32) << 32 | u128::from(a as u32);
        check("shf.l.wrap.b32 %ro, %ra, %rb, %rc;", 32, &inputs, |[a, b, c]| (pair(a, b) << (c & 31) >> 32) as u32 as u64);
        check("shf.r.wrap.b32 %ro, %ra, %rb, %rc;", 32, &inputs, |[a, b, c]| (pair(a, b) >> (c & 31)) as u32 as u64);
        check("shf.l.clamp.b32 %ro, %ra, %rb, %rc;", 32, &inputs, |[a, b, c]| (pair(a, b) << (c as u32).min(32) >> 32) as u32 as u64);
        check("shf.r.clamp.b32 %ro, %ra, %rb, %rc;", 32, &inputs, |[a, b, c]| (pair(a, b) >> (c as u32).min(32)) as u32 as u64);
    }

    #[test]
    fn tables_of_three_bits(inputs in inputs(), table in any::<u8>()) {
        let body = format!("lop3.b32 %ro, %ra, %rb, %rc, {table};");
        check(&body, 32, &inputs, |[a, b, c]| {
            (0..32).map(|i| bit(table.into(), 4 * bit(a, i) + 2 * bit(b, i) + bit(c, i)) << i).sum()
        });
    }

    #[test]
    fn dot_products_of_bytes(inputs in inputs()) {
        check("dp4a.s32.u32 %ro, %ra, %rb, %rc;", 32, &inputs, |[a, b, c]| {
            let terms = (0..4).map(|i| i64::from((a >> (8 * i)) as i8) * i64::from((b >> (8 * i)) as u8));
            (c as u32).wrapping_add(terms.sum::<i64>() as u32) as u64
        });
    }

    #[test]
    fn packing(inputs in inputs()) {
        check("mov.b32 %ro, {%ha, %hb};", 32, &inputs, |[a, b, _]| (b & 0xffff) << 16 | (a & 0xffff));
        check("mov.b64 %do, {%ra, %rb};", 64, &inputs, |[a, b, _]| b << 32 | (a & 0xffff_ffff));
        check("mov.b32 {%ho, _}, %ra;", 16, &inputs, |[a, ..]| a & 0xffff);
        check("mov.b32 {_, %ho}, %ra;", 16, &inputs, |[a, ..]| a >> 16 & 0xffff);
        check("mov.b64 {_, %ro}, %da;", 32, &inputs, |[a, ..]| a >> 32);
        check("mov.b64 {_, _, %ho, _}, %da;", 16, &inputs, |[a, ..]| a >> 32 & 0xffff);
    }
}
